import { expect, test } from 'vitest';
import { parseAddress } from '../../../../migrate/scan/address.ts';

/** What Go's url.Parse and initConfigSources make of it; host and port as they are dialled. */
test.each([
  ['k8s://', 'k8s', '', ''],
  ['k8s:///', 'k8sInexact', '', ''],
  ['K8s://', 'k8sInexact', '', ''],
  ['k8s://other', 'k8sInexact', '', ''],
  ['k8s:///x', 'k8sPath', '', ''],
  ['fs:///etc/istio', 'fs', '', ''],
  ['fs://host/etc', 'fs', '', ''],
  ['fs://', 'fsWithoutPath', '', ''],
  ['fs:/etc', 'fs', '', ''],
  ['fs:///', 'fs', '', ''],
  ['fs:etc', 'fsWithoutPath', '', ''],
  ['xds://Isthmus.X:15410', 'xds', 'isthmus.x', '15410'],
  ['XDS://10.0.0.1:15410/a?b=c', 'xds', '10.0.0.1', '15410'],
  ['xds://[fd00::1]:15410', 'xds', 'fd00::1', '15410'],
  ['xds://user:word@isthmus:15410', 'xds', 'isthmus', '15410'],
  ['xds://fd00::1:15410', 'xdsMalformed', 'fd00::1', '15410'],
  ['xds://isthmus', 'xdsWithoutPort', 'isthmus', ''],
  ['xds://[fd00::1]', 'xdsWithoutPort', 'fd00::1', ''],
  ['xds://:15410', 'xdsWithoutHost', '', '15410'],
  ['xds:///isthmus:15410', 'xdsWithoutHost', '', ''],
  ['xds:isthmus:15410', 'xdsWithoutHost', '', ''],
  ['istio-galley.istio-system.svc:9901', 'name', 'istio-galley.istio-system.svc', '9901'],
  ['localhost:9901', 'name', 'localhost', '9901'],
  ['10.0.0.1:9901', 'ip', '10.0.0.1', '9901'],
  ['[::1]:9901', 'ip', '::1', '9901'],
  ['my_host:9901', 'ip', 'my_host', '9901'],
  [':9901', 'ip', '', '9901'],
  ['isthmus', 'nothing', 'isthmus', ''],
  ['', 'nothing', '', ''],
  ['mcp://galley:9901', 'otherScheme', 'galley', '9901'],
  ['dns:///isthmus:15410', 'otherScheme', '', ''],
  ['xds://${HOST}:15410', 'template', '', ''],
  ['{{ .Values.galley }}:9901', 'template', '', ''],
])('%s is %s', (text, form, host, port) => {
  const address = parseAddress(text);
  expect(address).toMatchObject({ text, form });
  if (form !== 'fs' && form !== 'k8sInexact' && form !== 'k8sPath') expect(address).toMatchObject({ host, port });
});

test('what istiod takes no notice of in an xds address is named, the user part without what it is', () => {
  expect(parseAddress('xds://me:word@isthmus:15410/a/b?c=d').ignored).toEqual([
    'the user part',
    'the path /a/b',
    'the query ?c=d',
  ]);
  expect(parseAddress('xds://isthmus:15410/').ignored).toEqual([]);
});

test.each([
  ['xds://me:word@isthmus:15410/a', 'xds://…@isthmus:15410/a'],
  ['me:word@isthmus:15410', '…@isthmus:15410'],
  ['xds://isthmus:15410/a@b', 'xds://isthmus:15410/a@b'],
  ['istio-galley:9901', 'istio-galley:9901'],
])('%s is shown as %s', (text, shown) => {
  expect(parseAddress(text).shown).toBe(shown);
});
