/** The part `pages`: what each page of the admin port costs, whatever there is. */
import { cellOf, goals, type Verdict } from './support/goals.ts';
import { type Measured, measured } from './support/measured.ts';
import { type PageCost, runPagesTrial, type Scene, scenes } from './support/pages-trial.ts';
import { inTurn, type Part } from './support/part.ts';
import { count, show, table } from './support/table.ts';

const { size: most, ms: limit } = goals.pages;
const sizes = [10, 10_000, most] as const;

/** A page, in one scene and with so many resources. */
type PageResult = {
  readonly scene: Scene;
  readonly path: string;
  readonly size: number;
  readonly bytes: number;
  readonly wallMs: Measured;
  readonly cpuMs: Measured;
  readonly longestMs: Measured;
};

export const pages: Part = {
  note: [
    'Asked for over HTTP, one at a time. time: from the request to the last byte. CPU: of the process, garbage collection',
    `included. longest: the longest time in which the event loop did not come round, without it, at ${count(most)}. Medians.`,
    'served: an istiod has all there is; waiting: another source has not spoken; quarantined: every body is a bad one.',
  ].join('\n'),

  async run({ rounds, say }) {
    const costs: PageCost[] = [];
    for (let round = 0; round < rounds; round++) {
      say(`pages, round ${round + 1} of ${rounds}`);
      for (const size of inTurn(sizes, round)) {
        for (const scene of inTurn(scenes, round)) costs.push(...(await runPagesTrial(scene, size)));
      }
    }
    const results = resultsOf(costs);
    const ofMost = results.filter(({ size }) => size === most);
    const verdicts = ofMost.map(judge);
    const rows = ofMost.map((result, index) => {
      const all = sizes.map((size) => results.find((one) => isSamePage(one, result) && one.size === size) ?? result);
      return [
        result.scene,
        result.path,
        ...all.map(({ wallMs }) => show(wallMs.median)),
        ...all.map(({ cpuMs }) => show(cpuMs.median)),
        show(result.longestMs.median),
        count(Math.round(result.bytes / 1000)),
        cellOf(verdicts.slice(index, index + 1)),
      ];
    });
    const times = sizes.map((size) => `-time ms ${count(size)}`);
    const cpus = sizes.map((size) => `-CPU ms ${count(size)}`);
    const columns = ['scene', 'page', ...times, ...cpus, '-longest ms', '-kB', 'goal'];
    return { results, table: table(columns, rows), verdicts };
  },
};

const isSamePage = (a: Pick<PageResult, 'scene' | 'path'>, b: Pick<PageResult, 'scene' | 'path'>): boolean =>
  a.scene === b.scene && a.path === b.path;

function resultsOf(costs: readonly PageCost[]): PageResult[] {
  const groups = new Map<string, PageCost[]>();
  for (const cost of costs) {
    const id = `${cost.size} ${cost.scene} ${cost.path}`;
    groups.set(id, [...(groups.get(id) ?? []), cost]);
  }
  return Array.from(groups.values(), (own) => {
    const [{ scene, path, size, bytes }] = own as [PageCost, ...PageCost[]];
    return {
      scene,
      path,
      size,
      bytes,
      wallMs: measured(own.map((one) => one.wallMs)),
      cpuMs: measured(own.map((one) => one.cpuMs)),
      longestMs: measured(own.map((one) => one.longestMs)),
    };
  });
}

function judge({ scene, path, longestMs }: PageResult): Verdict {
  const row = `pages, ${count(most)}, ${scene} ${path}`;
  return { row, measure: 'longest piece of work', value: longestMs.median, limit, unit: 'ms' };
}
