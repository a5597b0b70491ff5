import { istiodTlsMinor } from '../../src/model/istiod-tls.ts';
import { isNetwork } from '../scan/address.ts';
import { fieldOf } from '../scan/mesh-config.ts';
import { sourceCheck } from './check.ts';

export const tlsIgnored = sourceCheck({
  code: 'TLS_IGNORED',
  severities: ['warning'],
  finds: '`tlsSettings` for a target that ignores them all.',
  left: [
    {
      from: 9,
      to: istiodTlsMinor - 1,
      what: 'ignores tlsSettings whole and dials in plaintext; a bridge that expects TLS is then no server to it, and it does not start',
    },
  ],
  fix: 'Let the bridge listen without TLS, on an address that istiod alone reaches (NetworkPolicy).',
  source: 'run on 1.24.0; Istio pull request 54427',
  look({ source }) {
    if (source.tls === undefined || source.tls.mode === 'DISABLE' || !isNetwork(source.address)) return undefined;
    const message = `tlsSettings with mode ${source.tls.mode} is ignored before 1.26: the connection is in plaintext`;
    const fix =
      'let the bridge listen without TLS (xds.tls unset) where istiod alone reaches it (NetworkPolicy), and remove tlsSettings until istiod is 1.26';
    return { at: source.at([fieldOf(source, 'tlsSettings')], true), message, fix };
  },
});
