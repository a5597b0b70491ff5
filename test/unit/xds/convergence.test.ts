import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { FakeIstiod, nodeIds } from '../../support/fake-istiod.ts';
import { serviceEntry, workloadEntry } from '../../support/resources.ts';
import { noGuard, StoreLab } from '../../support/store-lab.ts';

const types = new Map([
  ['networking.istio.io/v1/ServiceEntry', serviceEntry],
  ['networking.istio.io/v1/WorkloadEntry', workloadEntry],
]);
const typeUrls = [...types.keys()];

const step = fc.oneof(
  fc.record({
    do: fc.constant('say' as const),
    kind: fc.constantFrom(serviceEntry, workloadEntry),
    contents: fc.dictionary(fc.constantFrom('x/1', 'x/2', 'x/3'), fc.constantFrom('p', 'q')),
  }),
  fc.record({ do: fc.constant('ask' as const), typeUrl: fc.constantFrom(...typeUrls) }),
  fc.record({ do: fc.constantFrom('ack' as const, 'nack' as const), at: fc.nat(20) }),
  fc.record({ do: fc.constant('wait' as const), ms: fc.nat(400) }),
  fc.record({ do: fc.constant('reconnect' as const) }),
);

test('whatever happens on the way, an istiod that answers at last has the newest state of every type it asked for', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 40 }),
      fc.constantFrom(nodeIds.upTo111, nodeIds.from112),
      async (steps, nodeId) => {
        const lab = new StoreLab(noGuard);
        lab.addOrigin('a', serviceEntry, workloadEntry);
        const connect = () => {
          const istiod = new FakeIstiod(lab, nodeId);
          istiod.acknowledges = false;
          return istiod;
        };
        let istiod = connect();
        let answered = new Set<string>();
        for (const one of steps) {
          if (one.do === 'say') await lab.say('a', one.kind, one.contents);
          else if (one.do === 'wait') await lab.clock.run(one.ms);
          else if (one.do === 'ask') istiod.ask(one.typeUrl);
          else if (one.do === 'reconnect') {
            istiod.exchange.close();
            istiod = connect();
            answered = new Set();
          } else {
            const response = istiod.responses[one.at];
            if (response === undefined) continue;
            istiod[one.do](response);
            answered.add(response.nonce);
          }
          const nonces = istiod.responses.map(({ nonce }) => nonce);
          expect(new Set(nonces).size).toBe(nonces.length);
          for (const typeUrl of typeUrls) {
            const own = istiod.responses.filter((response) => response.typeUrl === typeUrl);
            const open = own.filter(({ nonce }) => !answered.has(nonce));
            expect(open.length, 'responses of one type that wait for an answer').toBeLessThanOrEqual(1);
            if (open.length === 1) expect(open[0]).toBe(own.at(-1));
          }
        }
        istiod.acknowledges = true;
        istiod.ask(...typeUrls);
        for (const typeUrl of typeUrls) {
          const response = istiod.responses.findLast((r) => r.typeUrl === typeUrl);
          if (response !== undefined) istiod.ack(response);
        }
        for (const kind of types.values()) await lab.say('a', kind, { 'x/9': 'the last' });
        await lab.clock.run(5000);
        for (const [typeUrl, kind] of types) {
          expect(istiod.last(typeUrl).versionInfo).toBe(lab.store.snapshot(kind.id)?.version);
          expect(istiod.last(typeUrl).resources).toHaveLength(1);
        }
        expect(istiod.ended).toBeUndefined();
        istiod.exchange.close();
        expect(lab.clock.timers).toBe(0);
      },
    ),
    { numRuns: 200 },
  );
});
