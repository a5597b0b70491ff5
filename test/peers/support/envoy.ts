import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Child } from './child.ts';
import type { Lab } from './lab.ts';
import { freePort } from './ports.ts';

function bootstrap(istiodPort: number, adminPort: number): unknown {
  return {
    // A gateway proxy in istiod's eyes; the id is what it reads type, address and namespace from.
    node: { id: 'router~127.0.0.1~gw.istio-system~istio-system.svc.cluster.local', cluster: 'gw.istio-system' },
    admin: { address: { socket_address: { address: '127.0.0.1', port_value: adminPort } } },
    dynamic_resources: {
      ads_config: {
        api_type: 'GRPC',
        transport_api_version: 'V3',
        grpc_services: [{ envoy_grpc: { cluster_name: 'istiod' } }],
      },
      cds_config: { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: '0s' },
      lds_config: { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: '0s' },
    },
    static_resources: {
      clusters: [
        {
          name: 'istiod',
          type: 'STATIC',
          connect_timeout: '1s',
          typed_extension_protocol_options: {
            'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
              '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
              explicit_http_config: { http2_protocol_options: {} },
            },
          },
          load_assignment: {
            cluster_name: 'istiod',
            endpoints: [
              {
                lb_endpoints: [
                  { endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: istiodPort } } } },
                ],
              },
            ],
          },
        },
      ],
    },
  };
}

/** Upstream Envoy as a gateway proxy of an istiod. */
export class Envoy {
  readonly #lab: Lab;
  readonly #binary: string;
  readonly #istiodPort: number;
  #child: Child | undefined;

  constructor(lab: Lab, binary: string, istiodPort: number) {
    this.#lab = lab;
    this.#binary = binary;
    this.#istiodPort = istiodPort;
  }

  async start(): Promise<void> {
    const file = join(this.#lab.folder('envoy'), 'bootstrap.json');
    writeFileSync(file, JSON.stringify(bootstrap(this.#istiodPort, await freePort()), null, 2));
    this.#child = this.#lab.launch({
      name: 'envoy',
      command: this.#binary,
      // No hot restart, hence no shared memory region that another Envoy on this machine could hold.
      args: ['--config-path', file, '--concurrency', '2', '--disable-hot-restart', '--log-level', 'warn'],
    });
  }

  get pid(): number {
    if (!this.#child) throw new Error('Envoy was not started');
    return this.#child.pid;
  }
}
