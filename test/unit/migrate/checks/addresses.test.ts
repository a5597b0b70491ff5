import { addressBareIp } from '../../../../migrate/checks/address-bare-ip.ts';
import { addressHost } from '../../../../migrate/checks/address-host.ts';
import { addressLegacy } from '../../../../migrate/checks/address-legacy.ts';
import { addressLoopback } from '../../../../migrate/checks/address-loopback.ts';
import { addressParts } from '../../../../migrate/checks/address-parts.ts';
import { addressScheme } from '../../../../migrate/checks/address-scheme.ts';
import { addressTemplate } from '../../../../migrate/checks/address-template.ts';
import { addressUnusable } from '../../../../migrate/checks/address-unusable.ts';
import { addressWithoutPort } from '../../../../migrate/checks/address-without-port.ts';
import { sources, testCheck } from '../../../support/migrate/check-cases.ts';

testCheck(addressLegacy, {
  finds: {
    'a name with a port, and says what the bridge needs': {
      in: sources('«istio-galley.istio-system.svc:9901'),
      says: ['--source galley=mcp://istio-galley.istio-system.svc:9901', 'xds://HOST:PORT'],
      left: ['1.9 and newer'],
    },
    'one over TLS, which the bridge has to speak': {
      in: sources('{ address: «consul-mcp.x:1109, tlsSettings: { mode: MUTUAL } }'),
      says: ['--source consul-mcp=mcps://consul-mcp.x:1109'],
    },
    'each of several, with exact columns in quotes': sources('«"a.b:1"', "«'c.d:2'", 'k8s://'),
    'one in the mesh config of a ConfigMap':
      'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: istio }\ndata:\n  mesh: |-\n    # comment\n    configSources:\n    - address: «nacos:18848\n',
    'one under protobuf’s own name of the field': 'config_sources:\n- address: «nacos:18848\n',
    'one in an IstioOperator':
      'apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nspec:\n  meshConfig:\n    configSources:\n    - address: «nacos:18848\n',
    'one in Helm values': 'meshConfig:\n  configSources:\n  - { address: «nacos:18848 }\n',
    'one in JSON': '{"configSources": [{"address": «"nacos:18848"}]}',
    localhost: sources('«localhost:9901'),
  },
  passes: {
    'what is dialled as xds': sources('xds://isthmus:15410', 'k8s://'),
    'an IP address, which is another finding': sources('10.0.0.1:9901'),
    'a target that reads legacy MCP itself': { in: sources('istio-galley:9901'), target: '1.8.6' },
    'no sources': 'rootNamespace: istio-system\n',
  },
});

testCheck(addressBareIp, {
  finds: {
    IPv4: { in: sources('«10.0.0.1:9901'), says: ['mcp://10.0.0.1:9901'], left: ['1.9 and newer'] },
    IPv6: { in: sources('«"[fd00::1]:9901"'), says: ['mcp://[fd00::1]:9901'] },
    'a host with _, which Go cannot take for a scheme either': sources('«my_host:9901'),
    'a host that begins with a digit': sources('«1st.example:9901'),
  },
  passes: { 'a name': sources('nacos:18848'), 'an address with a scheme': sources('xds://10.0.0.1:15410') },
});

testCheck(addressScheme, {
  finds: {
    mcp: { in: sources('«mcp://istio-galley:9901'), says: ['no such scheme here', 'galley=mcp://istio-galley:9901'] },
    'mcps, whatever its case': sources('«MCPS://istio-galley:9901'),
    dns: sources('«dns:///isthmus:15410'),
    http: sources('«http://isthmus:15410'),
  },
  passes: { 'xds, whatever its case': sources('XDS://isthmus:15410'), 'k8s and fs': sources('k8s://', 'fs:///etc/x') },
});

testCheck(addressUnusable, {
  finds: {
    'no slashes': { in: sources('«xds:isthmus:15410'), says: ['names no host'] },
    'three slashes': sources('«xds:///isthmus:15410'),
    'IPv6 without brackets': sources('«xds://fd00::1:15410'),
    'a port that is none': sources('«xds://isthmus:http', '«xds://isthmus:0', '«xds://isthmus:70000'),
    'a blank in it': sources('«"xds://is thmus:15410"'),
    'an empty one': { in: sources('«""'), says: ['has no address'], left: ['1.9 and newer'] },
    'a bare word': sources('«isthmus'),
    'a folder without a path': { in: sources('«fs://'), says: ['names no folder'] },
    'an entry without an address': 'configSources:\n- «tlsSettings: {}\n',
  },
  passes: { 'IPv6 in brackets': sources('"xds://[fd00::1]:15410"'), 'a folder': sources('fs:///etc/istio') },
});

testCheck(addressWithoutPort, {
  finds: {
    'a name': { in: sources('«xds://isthmus.istio-system.svc'), says: ['xds://isthmus.istio-system.svc:15410'] },
    'a colon with nothing behind it': sources('«"xds://isthmus:"'),
    'one with a path': sources('«xds://isthmus/15410'),
  },
  passes: { 'a port': sources('xds://isthmus:15410') },
});

testCheck(addressParts, {
  finds: {
    'a path': { in: sources('«xds://isthmus:15410/mesh'), says: ['the path /mesh'] },
    'a query': { in: sources('«xds://isthmus:15410?a=b'), says: ['the query ?a=b'] },
    'a user, without showing what it is': {
      in: sources('«xds://me:secret@isthmus:15410'),
      says: ['the user part', 'NetworkPolicy'],
    },
  },
  passes: { 'a slash alone': sources('xds://isthmus:15410/') },
});

testCheck(addressLoopback, {
  finds: {
    localhost: sources('«xds://localhost:15410'),
    '127.0.0.1': { in: sources('«xds://127.0.0.1:15410'), says: ['istiod’s own Pod'] },
    'IPv6 and any address': sources('«"xds://[::1]:15410"', '«xds://0.0.0.0:15410'),
  },
  passes: {
    'a Service': sources('xds://isthmus.istio-system.svc:15410'),
    'an address': sources('xds://10.0.0.1:15410'),
  },
});

testCheck(addressHost, {
  finds: {
    'names of examples': sources('«xds://bridge:15410', '«xds://isthmus.example.com:15410', '«xds://x.invalid:1'),
    'what is no name in DNS': { in: sources('«xds://is$thmus.x:15410'), says: ['can’t be a name in DNS'] },
    'a label of 64 letters': sources(`«xds://${'a'.repeat(64)}.svc:15410`),
    'a name of one part, as a remark': {
      in: sources('«xds://isthmus:15410'),
      severity: 'info',
      says: ['isthmus.NAMESPACE.svc'],
    },
  },
  passes: {
    'a full name': sources('xds://isthmus.istio-system.svc.cluster.local.:15410'),
    addresses: sources('xds://10.0.0.1:15410', '"xds://[fd00::1]:15410"'),
    'a legacy one, which is another finding': sources('nacos:18848'),
  },
});

testCheck(addressTemplate, {
  finds: {
    Helm: { in: sources('«istio-galley.{{ .Release.Namespace }}.svc:9901'), says: ['helm template'] },
    'a variable': sources('«xds://${BRIDGE}:15410', '«"$(BRIDGE)"'),
  },
  passes: { none: sources('xds://isthmus:15410') },
});
