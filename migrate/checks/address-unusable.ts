import type { AddressForm } from '../scan/address.ts';
import type { Consequence } from '../finding.ts';
import { sourceCheck, initConfigSources } from './check.ts';

const exits: readonly Consequence[] = [{ from: 9, what: 'does not start: exit code 255' }];

const isPassedOver: readonly Consequence[] = [
  { from: 9, what: 'passes over it with the warning “Ignoring unsupported config source”' },
];

const forms: Partial<Record<AddressForm, { readonly what: string; readonly left: readonly Consequence[] }>> = {
  xdsWithoutHost: { what: 'names no host', left: exits },
  xdsMalformed: { what: 'is no address that can be dialled', left: exits },
  fsWithoutPath: { what: 'names no folder', left: exits },
  nothing: { what: 'is no address', left: isPassedOver },
};

export const addressUnusable = sourceCheck({
  code: 'ADDRESS_UNUSABLE',
  severities: ['error'],
  finds:
    'An address that is empty, names no host (`xds:HOST:PORT`, `xds:///HOST:PORT`) or no folder (`fs://`), or can’t be parsed.',
  left: [{ from: 9, what: 'does not start (exit code 255), or passes over what has no scheme' }],
  fix: 'Write `xds://HOST:PORT`, `k8s://` or `fs:///FOLDER`.',
  source: initConfigSources,
  look({ source }) {
    const form = forms[source.address.form];
    if (form === undefined) return undefined;
    const { shown } = source.address;
    const message = shown === '' ? 'the entry has no address' : `"${shown}" ${form.what}`;
    const fix = 'write xds://HOST:PORT with two slashes and an IPv6 host in brackets; or k8s://, or fs:///FOLDER';
    return { at: source.at(['address']), message, fix, left: form.left };
  },
});
