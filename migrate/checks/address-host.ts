import { isAddress } from '../scan/address.ts';
import { sourceCheck } from './check.ts';

/** Never to be found in DNS (RFC 2606, RFC 6761), and what examples write. */
const reserved = /(^|\.)(invalid|test|example|example\.(com|net|org))$/;

const label = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;

const placeholders = /^(<.*>|bridge|host|address|your-.*|my-bridge|todo|changeme)$/;

export const addressHost = sourceCheck({
  code: 'ADDRESS_HOST',
  severities: ['error', 'info'],
  finds:
    'A host that can’t be a name in DNS, or is one of an example; and a name of one part, which is looked up in istiod’s own namespace. Nothing is resolved.',
  left: [{ from: 9, what: 'does not start where the name is not found: exit code 255' }],
  fix: 'Write the full name of the Service, `NAME.NAMESPACE.svc`.',
  source: 'RFC 1035, 2606 and 6761; Kubernetes’ search path; gRPC dials the name as it is',
  look({ source }) {
    const { form, host } = source.address;
    if (form !== 'xds' || isAddress(host) || host === 'localhost') return undefined;
    const at = source.at(['address']);
    const plain = host.replace(/\.$/, '');
    if (placeholders.test(plain) || reserved.test(plain)) {
      return { at, message: `"${host}" is a name of an example`, fix: 'write the name of the Service of the bridge' };
    }
    if (plain.length > 253 || !plain.split('.').every((part) => label.test(part))) {
      return { at, message: `"${host}" can’t be a name in DNS`, fix: 'write the name of the Service of the bridge' };
    }
    if (plain.includes('.')) return undefined;
    const message = `"${host}" is looked up in istiod’s own namespace`;
    return {
      at,
      message,
      severity: 'info',
      fix: `write ${plain}.NAMESPACE.svc, so that it holds wherever istiod runs`,
    };
  },
});
