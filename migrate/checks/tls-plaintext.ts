import { istiodTlsMinor } from '../../src/model/istiod-tls.ts';
import { isNetwork } from '../scan/address.ts';
import { sourceCheck } from './check.ts';

export const tlsPlaintext = sourceCheck({
  code: 'TLS_PLAINTEXT',
  severities: ['error'],
  finds:
    '`tlsSettings` whose mode is not SIMPLE: istiod has no client certificate for a config source, and falls back to plaintext without a word.',
  left: [
    {
      from: istiodTlsMinor,
      what: 'dials in plaintext without a word; a bridge with TLS ends that, and istiod does not start: exit code 255',
    },
  ],
  fix: 'Use SIMPLE with the CA of the bridge, or no TLS.',
  source: 'Istio pull request 54427, getTransportCredentials; run on 1.30.3',
  look({ source }) {
    const { tls, address } = source;
    if (tls === undefined || ['SIMPLE', 'DISABLE'].includes(tls.mode) || !isNetwork(address)) return undefined;
    const message = `mode ${tls.mode} means plaintext: istiod knows SIMPLE alone, and never presents a client certificate`;
    const fix =
      'write mode SIMPLE with caCertificates (the PEM itself) or credentialName, and give the bridge xds.tls without clientCa; or no tlsSettings at all';
    return { at: tls.at(['mode']), message, fix };
  },
});
