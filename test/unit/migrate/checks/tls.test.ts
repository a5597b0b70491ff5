import { tlsCaPath } from '../../../../migrate/checks/tls-ca-path.ts';
import { tlsIgnored } from '../../../../migrate/checks/tls-ignored.ts';
import { tlsPlaintext } from '../../../../migrate/checks/tls-plaintext.ts';
import { tlsUnverified } from '../../../../migrate/checks/tls-unverified.ts';
import { sources, testCheck } from '../../../support/migrate/check-cases.ts';

const xds = 'address: "xds://isthmus.x:15410"';
const legacy = 'address: "istio-galley:9901"';
const pem = 'caCertificates: "-----BEGIN CERTIFICATE-----\\nMIIB"';

testCheck(tlsIgnored, {
  finds: {
    'every mode but DISABLE': {
      in: sources(
        `{ ${xds}, «tlsSettings: { mode: SIMPLE } }`,
        `{ ${legacy}, «tlsSettings: { mode: MUTUAL } }`,
        `{ ${legacy}, «tls_settings: { mode: ISTIO_MUTUAL } }`,
      ),
      left: ['1.9 to 1.25'],
      says: ['mode SIMPLE is ignored before 1.26'],
    },
    'a mode that is a number': { in: sources(`{ ${xds}, «tlsSettings: { mode: 1 } }`), says: ['mode SIMPLE'] },
  },
  passes: {
    'DISABLE, and none': sources(`{ ${xds}, tlsSettings: { mode: DISABLE } }`, `{ ${xds}, tlsSettings: {} }`),
    'a target that reads it': { in: sources(`{ ${xds}, tlsSettings: { mode: SIMPLE } }`), target: '1.26' },
    'it beside k8s://, where nothing is dialled': sources('{ address: "k8s://", tlsSettings: { mode: SIMPLE } }'),
  },
});

testCheck(tlsPlaintext, {
  finds: {
    'MUTUAL and ISTIO_MUTUAL': {
      in: sources(`{ ${xds}, tlsSettings: { mode: «MUTUAL } }`, `{ ${legacy}, tlsSettings: { mode: «ISTIO_MUTUAL } }`),
      left: ['1.26 and newer'],
      says: ['write mode SIMPLE'],
    },
    'a mode that nobody knows': sources(`{ ${xds}, tlsSettings: { mode: «OPTIONAL } }`),
  },
  passes: {
    SIMPLE: sources(`{ ${xds}, tlsSettings: { mode: SIMPLE } }`),
    'a target that ignores all of it': { in: sources(`{ ${xds}, tlsSettings: { mode: MUTUAL } }`), target: '1.25.3' },
  },
});

testCheck(tlsUnverified, {
  finds: {
    'SIMPLE without a CA': { in: sources(`{ ${xds}, tlsSettings: { mode: «SIMPLE } }`), says: ['roots of its image'] },
    'SIMPLE of old, which took anybody': {
      in: sources(`{ ${legacy}, tlsSettings: { mode: «SIMPLE, ${pem} } }`),
      says: ['verified nothing up to 1.8'],
    },
    'names that are not looked at without a CA': {
      in: sources(`{ ${xds}, tlsSettings: { mode: «SIMPLE, subjectAltNames: [a] } }`),
      says: ['subjectAltNames is not looked at'],
    },
    'what switches it off': {
      in: sources(`{ ${xds}, tlsSettings: { mode: SIMPLE, ${pem}, «insecureSkipVerify: true } }`),
      says: ['anybody may play the bridge'],
      left: ['1.26 and newer'],
    },
  },
  passes: {
    'a CA': sources(`{ ${xds}, tlsSettings: { mode: SIMPLE, ${pem} } }`),
    'a Secret': sources(`{ ${xds}, tlsSettings: { mode: SIMPLE, credentialName: isthmus-ca } }`),
    'other modes': sources(`{ ${legacy}, tlsSettings: { mode: MUTUAL } }`),
    'a target that ignores all of it': { in: sources(`{ ${xds}, tlsSettings: { mode: SIMPLE } }`), target: '1.24' },
  },
});

testCheck(tlsCaPath, {
  finds: {
    'a path': {
      in: sources(`{ ${xds}, tlsSettings: { mode: SIMPLE, caCertificates: «/etc/certs/root-cert.pem } }`),
      left: ['1.26 and newer'],
      says: ['caCertificates: |'],
    },
  },
  passes: {
    'the PEM itself': sources(`{ ${xds}, tlsSettings: { mode: SIMPLE, ${pem} } }`),
    'an empty one': sources(`{ ${xds}, tlsSettings: { mode: SIMPLE, caCertificates: "" } }`),
    'MUTUAL, which is plaintext': sources(`{ ${xds}, tlsSettings: { mode: MUTUAL, caCertificates: /a.pem } }`),
    'a target before 1.26': {
      in: sources(`{ ${xds}, tlsSettings: { mode: SIMPLE, caCertificates: /a.pem } }`),
      target: '1.25',
    },
  },
});
