import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Child, Exit } from './child.ts';
import type { Lab } from './lab.ts';
import { type HeldConfig, keysOfConfigz, parseConfigz } from './manifest.ts';
import { freePort, portOpen } from './ports.ts';
import { patienceMs, until } from './until.ts';

/** istiod's own address for one configuration source, for example `xds://127.0.0.1:15410`. */
export type ConfigSource = `xds://${string}` | `fs://${string}`;

/**
 * istiod 1.16.5 or 1.24.0, without Kubernetes unless a kubeconfig is given. Its gRPC port opens only when every
 * configuration source has answered for every type; `/ready` never turns 200 without Kubernetes and says nothing then.
 */
export class Istiod {
  readonly name: string;
  readonly grpcPort: number;
  readonly #httpPort: number;
  readonly #monitoringPort: number;
  readonly #lab: Lab;
  readonly #binary: string;
  readonly #source: ConfigSource;
  /** Undefined = it has none. */
  readonly #revision: string | undefined;
  /** Its mesh config; undefined = one with the source alone. */
  readonly #mesh: string | undefined;
  /** What it finds Kubernetes by; undefined = it has none. */
  readonly #kubeconfig: string | undefined;
  #child: Child | undefined;
  #starts = 0;

  private constructor(
    lab: Lab,
    binary: string,
    source: ConfigSource,
    name: string,
    ports: readonly [number, number, number],
    revision: string | undefined,
    mesh: string | undefined,
    kubeconfig: string | undefined,
  ) {
    this.#kubeconfig = kubeconfig;
    this.#mesh = mesh;
    this.#lab = lab;
    this.#binary = binary;
    this.#source = source;
    this.name = name;
    [this.grpcPort, this.#httpPort, this.#monitoringPort] = ports;
    this.#revision = revision;
  }

  static async create(
    lab: Lab,
    binary: string,
    source: ConfigSource,
    name = 'istiod',
    revision?: string,
    mesh?: string,
    kubeconfig?: string,
  ): Promise<Istiod> {
    const ports = [await freePort(), await freePort(), await freePort()] as const;
    return new Istiod(lab, binary, source, name, ports, revision, mesh, kubeconfig);
  }

  /** Starts the process and nothing more: it may end by itself (see {@link exit}) or wait for its source. */
  launch(): void {
    const mesh = join(this.#lab.folder(this.name), 'mesh.yaml');
    // Automatic mutual TLS would make Envoy wait for certificates that no one issues here.
    writeFileSync(mesh, this.#mesh ?? `configSources:\n- address: ${this.#source}\nenableAutoMtls: false\n`);
    this.#starts += 1;
    this.#child = this.#lab.launch({
      name: this.name,
      command: this.#binary,
      args: [
        'discovery',
        ...(this.#kubeconfig === undefined
          ? ['--registries=']
          : ['--registries=Kubernetes', `--kubeconfig=${this.#kubeconfig}`]),
        `--meshConfig=${mesh}`,
        '--networksConfig=./none',
        `--httpAddr=127.0.0.1:${this.#httpPort}`,
        '--httpsAddr=',
        `--grpcAddr=127.0.0.1:${this.grpcPort}`,
        '--secureGRPCAddr=',
        `--monitoringAddr=127.0.0.1:${this.#monitoringPort}`,
        // Zero is a random port, not none; there is no way to turn this one off.
        '--ctrlz_port=0',
        '--ctrlz_address=127.0.0.1',
        '--log_output_level=default:info,adsc:info',
      ],
      env: {
        ENABLE_CA_SERVER: 'false',
        PILOT_CERT_PROVIDER: 'none',
        POD_NAME: 'istiod-test',
        POD_NAMESPACE: 'istio-system',
        ...(this.#revision === undefined ? {} : { REVISION: this.#revision }),
        GOMAXPROCS: '2',
        // Upstream Envoy lacks the istio.* filters and would reject every listener.
        PILOT_ENABLE_METADATA_EXCHANGE: 'false',
        PILOT_ENABLE_ALPN_FILTER: 'false',
      },
    });
  }

  /**
   * Starts it as a supervisor does: istiod ends at once when nobody listens at its configuration source, and is then
   * started again. Resolves when its gRPC port is open.
   */
  async start(timeoutMs?: number): Promise<void> {
    this.launch();
    await until(
      `${this.name}'s gRPC port is open`,
      () => {
        if (this.exit) this.launch();
        return this.serving();
      },
      timeoutMs ? { timeoutMs } : {},
    );
  }

  /** Where its pages are. */
  get url(): string {
    return `http://127.0.0.1:${this.#httpPort}`;
  }

  /** Undefined while it runs. */
  get exit(): Exit | undefined {
    return this.#running().exit;
  }

  get pid(): number {
    return this.#running().pid;
  }

  /** Grows with every start, so that a reader can tell whether two looks were at one process. */
  get starts(): number {
    return this.#starts;
  }

  /** Whether proxies can connect. */
  async serving(): Promise<boolean> {
    return this.#child !== undefined && this.exit === undefined && portOpen(this.grpcPort);
  }

  /** All configuration that istiod holds now, by "Kind/namespace/name". */
  async configz(): Promise<Map<string, HeldConfig>> {
    return parseConfigz(await this.#configzText());
  }

  /** Its keys alone, which is quicker where there are thousands. */
  async configzKeys(): Promise<Set<string>> {
    return keysOfConfigz(await this.#configzText());
  }

  /** How many responses for a kind istiod says that it has received, over all its starts. */
  responses(kind: string): number {
    return this.log().match(new RegExp(`Received\\s.*type[= ]\\S+/${kind}\\s`, 'g'))?.length ?? 0;
  }

  /** Everything that this process and its predecessors have logged. */
  log(): string {
    return this.#running().log();
  }

  async kill(): Promise<Exit> {
    return this.#running().end('SIGKILL');
  }

  /** The text of one of its debug pages. */
  async debug(path: string): Promise<string> {
    const response = await fetch(`${this.url}${path}`, {
      // Of very many resources it takes its time.
      signal: AbortSignal.timeout(patienceMs),
    });
    if (!response.ok) throw new Error(`${path} answered ${response.status}`);
    return response.text();
  }

  #configzText(): Promise<string> {
    return this.debug('/debug/configz');
  }

  #running(): Child {
    if (!this.#child) throw new Error(`${this.name} was not started`);
    return this.#child;
  }
}
