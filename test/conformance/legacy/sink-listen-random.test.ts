import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Bridge } from '../../support/bridge.ts';
import { CallingSource, sourceBy } from '../../support/calling-source.ts';
import { hastyClock } from '../../support/hasty-clock.ts';
import { WatchingIstiod } from '../../support/watching-istiod.ts';
import { propertyTimeoutMs, runs } from '../../unit/state-model/runs.ts';

const names = ['a', 'b'] as const;

const step = fc.record({
  source: fc.constantFrom(...names),
  what: fc.constantFrom('says', 'says', 'abandons its stream', 'breaks off'),
});

test(
  'sources that leave streams as they are, break off and dial again, and change meanwhile: nothing that stays is ever missing',
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 12 }), async (steps) => {
        // What takes seconds takes a tenth of that: a stream is doubted for half a second.
        const sources = names.map((name) => sourceBy(name, name));
        const settings = { sink: { listen: '127.0.0.1:0' }, sources, guard: { hold: '0s' } };
        const bridge = await Bridge.of(settings, { clock: hastyClock(10) });
        const states = new Map<string, Record<string, string>>();
        const calling = new Map<string, CallingSource>();
        for (const name of names) {
          states.set(name, { [`${name}/kept`]: name });
          calling.set(name, CallingSource.start(bridge.ports.sink ?? 0, { [`${name}/kept`]: name }, { cluster: name }));
        }
        const all = () => Object.assign({}, ...states.values()) as Record<string, string>;
        const istiod = WatchingIstiod.connect(bridge.ports.xds);
        await istiod.hasOnly(all());
        for (const [round, { source, what }] of steps.entries()) {
          if (what === 'abandons its stream') calling.get(source)?.abandon();
          else if (what === 'breaks off') await calling.get(source)?.breakOff();
          else {
            const state = { [`${source}/kept`]: source, [`${source}/last`]: `of ${round}` };
            states.set(source, state);
            calling.get(source)?.publish(state);
          }
        }
        await istiod.hasOnly(all());
        expect(istiod.lost('a/kept', 'b/kept')).toEqual([]);
        await Promise.all(Array.from(calling.values(), (source) => source.leave()));
        await bridge.app.stop();
      }),
      runs(6),
    );
  },
  propertyTimeoutMs,
);
