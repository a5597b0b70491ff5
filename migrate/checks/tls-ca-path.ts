import { istiodTlsMinor } from '../../src/model/istiod-tls.ts';
import { isNetwork } from '../scan/address.ts';
import { fieldOf } from '../scan/mesh-config.ts';
import { textOf } from '../scan/json.ts';
import { sourceCheck } from './check.ts';

export const tlsCaPath = sourceCheck({
  code: 'TLS_CA_PATH',
  severities: ['error'],
  finds: '`caCertificates` that is a path: up to 1.8 it was one, from 1.26 on it is the PEM itself.',
  left: [{ from: istiodTlsMinor, what: 'takes it for the PEM itself and does not start: exit code 255' }],
  fix: 'Write the PEM itself, as a block (`caCertificates: |`), or `credentialName`.',
  source: 'run on 1.30.3',
  look({ source }) {
    const { tls, address } = source;
    if (tls?.mode !== 'SIMPLE' || !isNetwork(address)) return undefined;
    const field = fieldOf(tls, 'caCertificates');
    const ca = textOf(tls.json[field]);
    if (ca === undefined || ca === '' || ca.includes('-----BEGIN')) return undefined;
    const fix =
      'write the PEM itself below "caCertificates: |", or name a Secret of istiod’s namespace in credentialName';
    return { at: tls.at([field]), message: 'caCertificates is no PEM, but a path or something else', fix };
  },
});
