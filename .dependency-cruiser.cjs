/**
 * Who may import whom. Arrows point to model. `npm run deps` runs these rules and fails where fewer modules were
 * seen than there are, since a cruise that finds nothing would pass.
 */
const only = (folder, allowed) => ({
  name: `${folder} imports only ${allowed.join(', ')}`,
  severity: 'error',
  from: { path: `^src/${folder}/` },
  to: { path: '^src/', pathNot: [folder, ...allowed].map((name) => `^src/${name}${name.endsWith('.ts') ? '$' : '/'}`) },
});

const onlyFrom = (library, places) => ({
  name: `${library} is imported only by ${places.join(', ')}`,
  severity: 'error',
  from: { path: '^src/', pathNot: places.map((place) => `^src/${place}`) },
  to: { path: `node_modules/${library}/` },
});

module.exports = {
  forbidden: [
    { name: 'no cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no unresolved imports', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'the product imports no tests',
      severity: 'error',
      from: { path: '^(src|migrate)/' },
      to: { path: '^(test|bench)/' },
    },
    only('model', []),
    only('wire', ['model']),
    only('schema', ['model', 'wire']),
    only('intake', ['model', 'wire']),
    only('store', ['model', 'wire']),
    only('state', ['model', 'wire', 'intake', 'store']),
    only('quarantine', ['model', 'wire', 'schema', 'store']),
    only('push', ['model', 'wire']),
    only('net', ['model', 'wire']),
    only('config', ['model', 'net', 'legacy/source-profile.ts']),
    only('observe', ['model']),
    only('kube', ['model']),
    only('legacy', ['model', 'wire', 'schema', 'net', 'intake', 'store', 'push']),
    only('capture', ['model', 'wire', 'schema', 'net', 'legacy']),
    only('xds', ['model', 'wire', 'net', 'push']),
    only('admin', ['model', 'wire', 'schema', 'net', 'config', 'observe', 'store', 'state', 'legacy', 'xds']),
    {
      name: 'migrate imports model, config, net, schema, kube, the clients of xds and legacy, and how verbs ask and speak',
      severity: 'error',
      from: { path: '^migrate/' },
      to: {
        path: '^src/',
        pathNot:
          '^src/(model/|config/|net/|schema/|kube/|xds/(ads-client|istiod-version|istiod-profile|revisions)\\.ts' +
          '|legacy/sink-client\\.ts|admin/(views|findings/addresses)\\.ts' +
          '|cli/(terminal|examples|verb|arguments|admin-client|get-(readers|xds|legacy)|diff-.*|check-limits)\\.ts)',
      },
    },
    {
      name: 'migrate/meshconfig knows texts alone',
      severity: 'error',
      from: { path: '^migrate/meshconfig/' },
      to: { path: '^(src|migrate)/', pathNot: '^(src/(model|schema)/|migrate/(meshconfig/|scan/address\\.ts$))' },
    },
    {
      name: 'only the verbs import migrate',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/cli/verbs\\.ts$' },
      to: { path: '^migrate/' },
    },
    onlyFrom('diff', ['admin/changes\\.ts']),
    {
      name: 'only main and the verbs import app and verbs',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(main\\.ts|cli/)' },
      to: { path: '^src/(app\\.ts|cli/|main\\.ts)' },
    },
    onlyFrom('protobufjs', ['wire/']),
    onlyFrom('@grpc/proto-loader', ['wire/']),
    onlyFrom('@grpc/grpc-js', ['net/', 'legacy/', 'xds/', 'capture/']),
    onlyFrom('prom-client', ['observe/metric-maker\\.ts']),
    onlyFrom('pino', ['observe/log\\.ts']),
    onlyFrom('zod', ['config/']),
    onlyFrom('yargs', ['cli/', 'main\\.ts']),
    onlyFrom('hono', ['admin/']),
    onlyFrom('@kubernetes/client-node', ['kube/']),
    {
      name: 'the client of Kubernetes takes a second to load: only when a cluster is asked (import type is free)',
      severity: 'error',
      from: { path: '^(src|migrate)/' },
      to: { path: 'node_modules/@kubernetes/client-node/', dependencyTypesNot: ['type-only', 'dynamic-import'] },
    },
    {
      name: 'the bridge takes half a second to load: only when a verb runs one',
      severity: 'error',
      from: { path: '^src/cli/', pathNot: '^src/cli/demo\\.ts' },
      to: { path: '^src/app\\.ts', dependencyTypesNot: ['type-only', 'dynamic-import'] },
    },
    {
      name: 'zod is loaded by config/zod.ts alone, as CommonJS (import type is free)',
      severity: 'error',
      from: { path: '^(src|migrate)/' },
      to: { path: 'node_modules/zod/', dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'types', 'node', 'default'] },
  },
};
