import { SinkClient } from '../legacy/sink-client.ts';
import { defaultSourceProfile } from '../legacy/source-profile.ts';
import { systemClock } from '../model/clock.ts';
import { IsthmusError } from '../model/errors.ts';
import { type Kind, kindOfCollection } from '../model/kinds.ts';
import { silentLogger } from '../model/logger.ts';
import { silentReporter } from '../model/reporter.ts';
import { type HostPort, formatHostPort } from '../net/address.ts';
import { defaultBackoff } from '../net/backoff.ts';
import { probeProtocol } from '../net/protocol-hint.ts';
import { served } from './get-bytes.ts';
import type { Reader, Reading, Served } from './get-readers.ts';

/** Asks as an old Pilot does. Dangerous on a live server: some panic, some feed only the last one who asked. */
export function readLegacy(address: HostPort, kinds: readonly Kind[], reading: Reading): Reader {
  const collections = kinds.flatMap(({ collection }) => collection ?? []);
  const client = new SinkClient(
    {
      name: 'get',
      address,
      collections,
      profile: defaultSourceProfile,
      maxMessageBytes: 2 ** 30,
      silentCollectionMs: 3000,
      backoff: defaultBackoff,
      lookAtPort: probeProtocol,
      clock: systemClock,
      random: Math.random,
      log: {
        ...silentLogger,
        warn(fields, message) {
          if (!('retryInMs' in fields)) return;
          client.stop();
          reading.onEnd(new IsthmusError('UNREACHABLE', `mcp://${formatHostPort(address)}`, message));
        },
      },
      reporter: silentReporter,
    },
    {
      async accept(collection, { bytes, spans }) {
        const kind = kindOfCollection(collection);
        if (kind === undefined) return;
        const resources: Served[] = [];
        for (let i = 0; i < spans.length; i += 2) resources.push(served(kind, bytes.subarray(spans[i], spans[i + 1])));
        reading.onKind({ kind, resources });
      },
      markEmpty(collection) {
        const kind = kindOfCollection(collection);
        if (kind !== undefined) reading.onKind({ kind, resources: [] });
      },
      remember() {},
    },
  );
  client.start();
  return { close: () => client.stop() };
}
