import { istiodTlsMinor } from '../../src/model/istiod-tls.ts';
import { isNetwork, isLegacy } from '../scan/address.ts';
import { fieldOf } from '../scan/mesh-config.ts';
import { sourceCheck } from './check.ts';

export const tlsUnverified = sourceCheck({
  code: 'TLS_UNVERIFIED',
  severities: ['warning'],
  finds: 'Mode SIMPLE, which verified nothing up to 1.8, and verifies from 1.26 on; and what switches that off.',
  left: [
    {
      from: istiodTlsMinor,
      what: 'verifies the server by caCertificates or credentialName; by the roots of its image where neither is given',
    },
  ],
  fix: 'Give the CA that signed the certificate of the bridge.',
  source: 'Istio 1.1 to 1.8 creds.CreateForClientSkipVerify; pull request 54427',
  look({ source }) {
    const { tls, address } = source;
    if (tls?.mode !== 'SIMPLE' || !isNetwork(address)) return undefined;
    const has = (name: string) => Object.hasOwn(tls.json, fieldOf(tls, name));
    const at = tls.at(['mode']);
    if (tls.json[fieldOf(tls, 'insecureSkipVerify')] === true) {
      const left = [{ from: istiodTlsMinor, what: 'takes any certificate' }];
      const message = 'insecureSkipVerify: anybody may play the bridge';
      return { at: tls.at([fieldOf(tls, 'insecureSkipVerify')], true), message, left };
    }
    if (has('caCertificates') || has('credentialName')) {
      if (!isLegacy(address)) return undefined;
      const message =
        'mode SIMPLE verified nothing up to 1.8, in spite of a CA: from 1.26 on the certificate has to fit';
      return {
        at,
        message,
        fix: 'see that caCertificates is the PEM of the CA that signed the bridge’s certificate, for the name in the address',
      };
    }
    const was = isLegacy(address) ? 'mode SIMPLE verified nothing up to 1.8; ' : '';
    const names = has('subjectAltNames') ? '; without one, subjectAltNames is not looked at' : '';
    const message = `${was}without a CA, istiod trusts the roots of its image alone${names}`;
    return {
      at,
      message,
      fix: 'give caCertificates (the PEM itself), or credentialName of a Secret in istiod’s namespace',
    };
  },
});
