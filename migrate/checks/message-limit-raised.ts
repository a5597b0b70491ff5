import { pilotFlagCheck } from './check.ts';

const limit = 4 * 1024 * 1024;

export const messageLimitRaised = pilotFlagCheck({
  code: 'MESSAGE_LIMIT_RAISED',
  severities: ['warning'],
  finds:
    'A Pilot whose `--mcpMaxMsgSize` is above 4 MiB, so that its messages may be larger than istiod up to 1.11 takes.',
  left: [{ from: 9, to: 11, what: 'takes 4 MiB in one message, and has no flag for it' }],
  fix: 'Go to istiod 1.12 or newer first, or see with `isthmus check --direct` how large the messages are.',
  source: 'Istio 1.1 to 1.8 pilot/cmd/pilot-discovery; run on 1.9.9 and 1.11.8',
  look({ name, value, at }, { subject }) {
    if (name !== 'mcpMaxMsgSize' || !(Number(value) > limit)) return undefined;
    return {
      at,
      message: `${subject}: --mcpMaxMsgSize ${value} was needed for messages above 4 MiB`,
      fix: 'go to istiod 1.12 or newer first; isthmus check --direct says how large the messages are',
    };
  },
});
