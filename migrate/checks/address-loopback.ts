import { isLoopback } from '../../src/net/address.ts';
import { isNetwork } from '../scan/address.ts';
import { sourceCheck } from './check.ts';

const nowhere = ['0.0.0.0', '::'];

export const addressLoopback = sourceCheck({
  code: 'ADDRESS_LOOPBACK',
  severities: ['warning'],
  finds: 'An address that istiod’s own Pod alone can reach (`localhost`, `127.0.0.1`, `0.0.0.0`).',
  left: [
    {
      from: 9,
      what: 'reaches what runs in its own Pod; where nothing does, it does not start: exit code 255',
    },
  ],
  fix: 'Name the bridge’s Service, unless the bridge is a container of istiod’s Pod.',
  source: 'istiod dials from its Pod, and exits where nobody answers (seen with 1.9.9, 1.18.1, 1.24.0, 1.30.3)',
  look({ source }) {
    const { host, form } = source.address;
    if (!isNetwork(source.address) || !(isLoopback(host) || nowhere.includes(host))) return undefined;
    const message = `${host} is istiod’s own Pod`;
    const fix =
      'name the Service of the bridge (isthmus.istio-system.svc:15410), unless the bridge is a sidecar of istiod: then each replica needs one';
    return form === 'xds' ? { at: source.at(['address']), message, fix } : undefined;
  },
});
