/** The lower bound: every message goes on as it came, unread. What arrives is no DiscoveryResponse. */
import { hop } from './hop.ts';

let received = 0;

// The source of the benchmark numbers its messages, so they can be acknowledged without a look inside.
hop((message) => ({ nonce: String(++received), response: () => message }));
