import { valueText, type Path } from '../problem.ts';
import { checkLabels } from './labels.ts';
import { checkNotNegative } from './numbers.ts';
import { checkPort } from './ports.ts';
import { each, hasOnly, isEmpty, type Report, type Subject } from './violation.ts';

type Probe = {
  readonly initialDelaySeconds?: number;
  readonly timeoutSeconds?: number;
  readonly periodSeconds?: number;
  readonly successThreshold?: number;
  readonly failureThreshold?: number;
  readonly httpGet?: {
    readonly port?: number;
    readonly scheme?: string;
    readonly httpHeaders?: readonly { readonly name?: string }[];
  };
  readonly tcpSocket?: { readonly port?: number };
  readonly exec?: { readonly command?: readonly string[] };
};

type WorkloadGroup = {
  readonly metadata?: { readonly labels?: Readonly<Record<string, string>> };
  readonly template?: object;
  readonly probe?: Probe;
};

const numbers = [
  'initialDelaySeconds',
  'timeoutSeconds',
  'periodSeconds',
  'successThreshold',
  'failureThreshold',
] as const;

/** Source: pkg/config/validation ValidateWorkloadGroup, 1.14 to 1.31. It does not look into the template. */
export function checkWorkloadGroup(spec: object, _subject: Subject, report: Report): void {
  const { metadata, template, probe } = spec as WorkloadGroup;
  if (template === undefined) {
    report('missing', ['spec', 'template'], 'is missing', 'describe the workloads there, or write template: {}');
    return;
  }
  checkLabels(report, ['spec', 'metadata', 'labels'], metadata?.labels);
  if (probe !== undefined) checkProbe(report, probe);
}

function checkProbe(report: Report, probe: Probe): void {
  const path: Path = ['spec', 'probe'];
  for (const name of numbers) checkNotNegative(report, [...path, name], probe[name]);
  const { httpGet, tcpSocket, exec } = probe;
  if (hasOnly(probe, numbers)) {
    report('missing', path, 'has no method', 'add httpGet, tcpSocket or exec, or remove the probe');
  }
  if (httpGet !== undefined) {
    const at = [...path, 'httpGet'];
    checkPort(report, [...at, 'port'], httpGet.port);
    if (!['', 'HTTP', 'HTTPS'].includes(httpGet.scheme ?? '')) {
      const message = `${valueText(httpGet.scheme)} is no scheme of a probe`;
      report('unsupported', [...at, 'scheme'], message, 'write HTTP or HTTPS, in capitals');
    }
    each(httpGet.httpHeaders, [...at, 'httpHeaders'], ({ name = '' }, here) => {
      if (name === '') report('headers', [...here, 'name'], 'is missing', 'name the header');
    });
  }
  if (tcpSocket !== undefined) checkPort(report, [...path, 'tcpSocket', 'port'], tcpSocket.port);
  if (exec !== undefined && isEmpty(exec.command)) {
    report('missing', [...path, 'exec', 'command'], 'is empty', 'write the command and its arguments');
  }
}
