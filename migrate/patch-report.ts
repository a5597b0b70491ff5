import { createTwoFilesPatch, FILE_HEADERS_ONLY } from 'diff';
import { oneLine } from '../src/cli/terminal.ts';
import { sourceNames } from './checks/legacy-address.ts';
import { istiodDeployment } from './istiod-deployment.ts';
import type { MeshPlace } from './meshconfig/find.ts';
import type { Plan } from './meshconfig/plan.ts';
import { quote } from './plan/step.ts';
import { parseAddress } from './scan/address.ts';

/** A unified diff, as `diff -u` and `git diff` write it; empty where both are equal. */
export function unifiedDiff(
  names: { readonly before: string; readonly after: string },
  before: string,
  after: string,
): string {
  if (before === after) return '';
  const options = { context: 3, headerOptions: FILE_HEADERS_ONLY };
  return createTwoFilesPatch(names.before, names.after, before, after, undefined, undefined, options);
}

/** The list as it should be, for who writes it by hand. */
export function listByHand({ result }: Pick<Plan, 'result'>): string {
  const entries = result.map((entry) => {
    const fields = Object.entries(entry as Record<string, unknown>);
    return fields.map(([key, value], at) => `${at === 0 ? '-' : ' '} ${key}: ${valueText(value)}`).join('\n');
  });
  return ['configSources:', ...entries].join('\n');
}

const valueText = (value: unknown): string => (typeof value === 'string' ? oneLine(value) : JSON.stringify(value));

/** One thing to do, and the command that does it where there is one. */
export type NextStep = { readonly text: string; readonly command: string | undefined };

/** Files and addresses that the steps name. */
export type StepSubjects = {
  /** Undefined where nothing was written. */
  readonly out: string | undefined;
  readonly backup: string | undefined;
  readonly bridge: string;
  readonly plan: Plan;
  /** Where the mesh config is one of a cluster. */
  readonly live?: LiveSteps;
};

/** What the steps name where the mesh config is one of a cluster. */
export type LiveSteps = {
  /** Flags that say which, each with a blank before it. */
  readonly flags: string;
  /** The mesh config is written already. */
  readonly isApplied: boolean;
};

/** Why istiod has to be restarted. */
export const restartText = 'Restart istiod: it reads configSources only when it starts';

/** Who has read a legacy source so far can't read what comes in its place. */
const pilotText =
  'Where a Pilot up to 1.8 runs, that is not enough, for it can’t read the new list: put the new istiod in its place ' +
  '(isthmus migrate plan has the commands)';

/** Who can read again what a rollback has put back. */
export const pilotBackText =
  'Where istiod has taken the place of a Pilot up to 1.8, put that Pilot back in place of the restart.';

/** What is left to do, in its order, up to the istiod that has read the new list. */
export function nextSteps(place: MeshPlace, { out, backup, bridge, plan, live }: StepSubjects): NextStep[] {
  const namespace =
    place.object?.namespace === undefined || place.object.namespace === '' ? 'istio-system' : place.object.namespace;
  const istiod = istiodDeployment(place.revision);
  const file = out === undefined || out === '-' ? 'NEW-FILE' : quote(out);
  const source = plan.moved.length === 0 ? '--source NAME=mcp://HOST:PORT' : sourceFlags(plan.moved);
  const saved = quote(backup ?? 'istio.backup');
  const apply = live === undefined ? [applyStep(place, namespace, file)] : applyLive(bridge, saved, live);
  const steps: NextStep[] = [
    {
      text: 'Run the bridge first: istiod exits if nobody listens at an address when it starts',
      command: `isthmus serve --xds-listen 0.0.0.0:${portOf(bridge)} ${source}`,
    },
    { text: 'See that it is ready, from a pod beside istiod', command: `isthmus check xds://${bridge}` },
    ...apply,
    {
      text: plan.moved.length === 0 ? restartText : `${restartText}. ${pilotText}`,
      command: `kubectl -n ${namespace} rollout restart deploy/${istiod}`,
    },
  ];
  const text = live === undefined ? 'The way back, then apply and restart again' : 'The way back, then restart again';
  if (live?.isApplied === true) {
    steps.push({ text, command: `isthmus migrate rollback --apply --backup ${saved}${live.flags}` });
  } else if (backup !== undefined && out !== undefined) {
    steps.push({ text, command: `isthmus migrate rollback ${file} --backup ${saved} --out OLD-FILE` });
  }
  return steps;
}

function applyLive(bridge: string, backup: string, { flags, isApplied }: LiveSteps): NextStep[] {
  if (isApplied) return [];
  const command = `isthmus migrate patch --bridge ${bridge} --apply --backup ${backup}${flags}`;
  return [{ text: 'Write it: nothing happens before istiod restarts', command }];
}

/** The sources have the names that the plan gives them. */
function sourceFlags(moved: Plan['moved']): string {
  const names = sourceNames(moved.map(({ address }) => parseAddress(address)));
  return moved.map((source, index) => `--source ${quote(`${names[index] ?? ''}=${urlOf(source)}`)}`).join(' ');
}

function urlOf({ host, address, tlsSettings }: Plan['moved'][number]): string {
  const mode = tlsSettings?.['mode'] ?? 'DISABLE';
  const scheme = /^mcps:/i.test(address) || mode !== 'DISABLE' ? 'mcps' : 'mcp';
  const target = host === undefined ? 'HOST:PORT' : /:\d+$/.test(host) ? host : `${host}:PORT`;
  return `${scheme}://${target}`;
}

const portOf = (bridge: string): string => bridge.slice(bridge.lastIndexOf(':') + 1);

function applyStep(place: MeshPlace, namespace: string, file: string): NextStep {
  switch (place.kind) {
    case 'configMap':
      return {
        text:
          'Apply it. Where Helm or istioctl made the ConfigMap, patch their values or IstioOperator too: ' +
          'the next upgrade takes this back otherwise',
        command: `kubectl -n ${namespace} apply -f ${file}`,
      };
    case 'istioOperator':
      return { text: 'Install from it, as you did before', command: `istioctl install -f ${file}` };
    case 'helmValues':
      return {
        text: 'Upgrade istiod with these values, by the names that your release and chart have',
        command: `helm -n ${namespace} upgrade istiod istio/istiod -f ${file}`,
      };
    default:
      return {
        text: 'Put it where istiod reads it: the file of --meshConfig, or the key mesh of its ConfigMap',
        command: undefined,
      };
  }
}
