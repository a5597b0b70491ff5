import { IsthmusError } from '../model/errors.ts';
import type { CalledEnd } from './called-stream.ts';
import type { StreamEnd } from './stream-end.ts';

const kept = 'what came before stays in force until it dials again';

/** Longest text of a peer that is shown. */
const maxText = 500;

/**
 * Says what an operator has to know about the end of a stream that a source had opened to us.
 *
 * @param subject `source NAME (HOST:PORT)`.
 */
export function explainCallEnd(
  subject: string,
  end: StreamEnd & Pick<CalledEnd, 'how'>,
  maxMessageBytes: number,
): IsthmusError {
  const { code, details, how } = end;
  const text = details.slice(0, maxText);
  if (end.malformed === true) {
    return new IsthmusError('MESSAGE_MALFORMED', subject, `it sent a message that is no Resources: ${text}`, {
      hint: `${kept}; is it a client of another protocol, or a proxy that changes messages?`,
    });
  }
  switch (how) {
    case 'ended':
      return new IsthmusError('STREAM_ENDED', subject, 'the source ended its stream', { hint: kept });
    case 'left':
      return new IsthmusError('STREAM_ENDED', subject, 'the source left its stream', {
        hint: `${kept}; its log may say why. Istio's leave over a collection that they do not know`,
      });
    case 'lost':
      return new IsthmusError('UNREACHABLE', subject, 'its connection is gone', { hint: kept });
    case 'failed':
      if (code !== 8) break;
      return new IsthmusError(
        'MESSAGE_TOO_LARGE',
        subject,
        `it sent a message of more than ${maxMessageBytes} bytes: ${text}`,
        { hint: `raise maxMessage of this source; ${kept}` },
      );
    case 'ours':
      break;
  }
  return new IsthmusError('STREAM_ENDED', subject, code === 14 ? text : `code ${code}: ${text}`, { hint: kept });
}
