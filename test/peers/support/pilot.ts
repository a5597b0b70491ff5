import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Child, Exit } from './child.ts';
import type { Lab } from './lab.ts';
import { type HeldConfig, parseConfigz } from './manifest.ts';
import { freePort } from './ports.ts';
import { patienceMs, until } from './until.ts';

/** Versions that differ in flags and in what their pages look like. */
export type PilotVersion = '1.5.10' | '1.8-dev';

export type PilotOptions = {
  /** Ask for changes instead of whole states (1.6 and newer). @default false */
  readonly incremental?: boolean;
  /** Ask for synthetic service entries as well, on a second stream (1.4 and 1.5). @default false */
  readonly synthetic?: boolean;
  /** @default "pilot-" and its version */
  readonly name?: string;
  /** Its mesh config. @default one with the source alone */
  readonly mesh?: string;
};

/** A Pilot without Kubernetes that has its configuration over legacy MCP. */
export class Pilot {
  readonly name: string;
  readonly version: PilotVersion;
  readonly #lab: Lab;
  readonly #binary: string;
  readonly #sourcePort: number;
  readonly #options: PilotOptions;
  readonly #ports: readonly [http: number, grpc: number, https: number, monitoring: number];
  #child: Child | undefined;

  private constructor(
    lab: Lab,
    binary: string,
    version: PilotVersion,
    sourcePort: number,
    options: PilotOptions,
    ports: readonly [number, number, number, number],
  ) {
    this.#lab = lab;
    this.#binary = binary;
    this.version = version;
    this.#sourcePort = sourcePort;
    this.#options = options;
    this.name = options.name ?? `pilot-${version}`;
    this.#ports = ports;
  }

  /** @param sourcePort of a legacy server on 127.0.0.1. */
  static async create(
    lab: Lab,
    binary: string,
    version: PilotVersion,
    sourcePort: number,
    options: PilotOptions = {},
  ): Promise<Pilot> {
    const ports = [await freePort(), await freePort(), await freePort(), await freePort()] as const;
    return new Pilot(lab, binary, version, sourcePort, options, ports);
  }

  /** Starts the process and nothing more: it waits for its source. */
  launch(): void {
    const { incremental = false, synthetic = false } = this.#options;
    const [http, grpc, https, monitoring] = this.#ports;
    const mesh = join(this.#lab.folder(this.name), 'mesh.yaml');
    const subscribed = synthetic ? '  subscribedResources: [SERVICE_REGISTRY]\n' : '';
    writeFileSync(
      mesh,
      this.#options.mesh ??
        `configSources:\n- address: 127.0.0.1:${this.#sourcePort}\n${subscribed}enableAutoMtls: false\n`,
    );
    const others =
      this.version === '1.5.10'
        ? ['--secureGrpcAddr=', `--httpsAddr=127.0.0.1:${https}`]
        : ['--secureGRPCAddr=', '--httpsAddr='];
    this.#child = this.#lab.launch({
      name: this.name,
      command: this.#binary,
      args: [
        'discovery',
        '--registries=Mock',
        `--meshConfig=${mesh}`,
        '--networksConfig=./none',
        `--httpAddr=127.0.0.1:${http}`,
        `--grpcAddr=127.0.0.1:${grpc}`,
        ...others,
        `--monitoringAddr=127.0.0.1:${monitoring}`,
        '--ctrlz_port=0',
        '--ctrlz_address=127.0.0.1',
      ],
      env: {
        ENABLE_CA_SERVER: 'false',
        PILOT_CERT_PROVIDER: 'none',
        POD_NAME: 'pilot-test',
        POD_NAMESPACE: 'istio-system',
        GOMAXPROCS: '2',
        ...(incremental ? { PILOT_ENABLE_INCREMENTAL_MCP: 'true' } : {}),
      },
    });
  }

  /** Starts it, and returns once it is ready: when it has heard of every collection that it asked for. */
  async start(): Promise<void> {
    this.launch();
    await until(`${this.name} is ready`, () => this.ready());
  }

  /** Undefined while it runs. */
  get exit(): Exit | undefined {
    return this.#running().exit;
  }

  async ready(): Promise<boolean> {
    return (await this.#get('/ready')).ok;
  }

  /** All configuration that it holds now, by "Kind/namespace/name". */
  async configz(): Promise<Map<string, HeldConfig>> {
    const text = await (await this.#get('/debug/configz')).text();
    return this.version === '1.5.10' ? parseOldConfigz(text) : parseConfigz(text);
  }

  /** Hosts of all services that it knows. */
  async hosts(): Promise<Set<string>> {
    return hostsOf(await (await this.#get('/debug/registryz')).text());
  }

  /** Addresses of a host's endpoints, with their ports, sorted. */
  async endpoints(host: string): Promise<string[]> {
    const text = await (await this.#get('/debug/endpointz?brief=1')).text();
    const lines = text.split('\n').filter((line) => line.startsWith(`${host}:`));
    return lines.map((line) => /\s(\d+\.\d+\.\d+\.\d+:\d+)\s/.exec(line)?.[1] ?? line).toSorted();
  }

  log(): string {
    return this.#running().log();
  }

  async kill(): Promise<Exit> {
    return this.#running().end('SIGKILL');
  }

  async #get(path: string): Promise<Response> {
    const response = await fetch(`http://127.0.0.1:${this.#ports[0]}${path}`, {
      signal: AbortSignal.timeout(patienceMs),
    });
    if (!response.ok && path !== '/ready') throw new Error(`${path} answered ${response.status}`);
    return response;
  }

  #running(): Child {
    if (!this.#child) throw new Error(`${this.name} was not started`);
    return this.#child;
  }
}

/** Hosts in a page of services. */
export function hostsOf(text: string): Set<string> {
  const services = JSON.parse(text) as { readonly hostname?: string }[];
  return new Set(services.flatMap(({ hostname }) => hostname ?? []));
}

/** What Pilot up to 1.7 shows: flat objects, and an empty one behind the last. */
type OldConfig = {
  readonly type?: string;
  readonly name?: string;
  readonly namespace?: string;
  readonly labels?: Record<string, string>;
  readonly annotations?: Record<string, string>;
  readonly resourceVersion?: string;
  readonly Spec?: unknown;
};

function parseOldConfigz(text: string): Map<string, HeldConfig> {
  const held = new Map<string, HeldConfig>();
  for (const config of JSON.parse(text) as OldConfig[]) {
    const { type: kind, name = '', namespace = '', labels = {}, annotations = {}, resourceVersion = '', Spec } = config;
    if (kind === undefined) continue;
    const key = `${kind}/${namespace}/${name}`;
    held.set(key, { key, kind, labels, annotations, spec: Spec ?? {}, resourceVersion });
  }
  return held;
}
