import fc from 'fast-check';

/** A file with one mesh config in it, made of parts. */
export type GeneratedFile = {
  readonly name: string;
  readonly text: string;
  /** Addresses in configSources, in their order. */
  readonly addresses: readonly string[];
  /** Comments outside of the list, none of which an edit may lose. */
  readonly comments: readonly string[];
  /** How the mesh config stands in the file. */
  readonly carrier: Carrier;
  /** Reads the mesh config out of what a YAML reader makes of the file. */
  readonly meshOf: (documents: readonly unknown[], parse: (text: string) => unknown) => unknown;
};

const carriers = [
  'plain',
  'operator',
  'values',
  'literal',
  'literalStrip',
  'literalKeep',
  'double',
  'listItem',
  'jsonFile',
  'jsonInLiteral',
  'jsonInSingle',
  'jsonInFolded',
] as const;
export type Carrier = (typeof carriers)[number];

const legacy = [
  'galley:9901',
  'mcp://galley.istio-system:9901',
  'mcps://a.b:1',
  '10.1.2.3:18848',
  'justahost',
  '[::1]:99',
];
const others = ['k8s://', 'fs:///etc/config', 'xds://other:15010', 'xds://isthmus.istio-system:15410'];
export const legacyAddresses: ReadonlySet<string> = new Set(legacy);

type Entry = {
  readonly address: string;
  readonly tls: string | undefined;
  readonly subscribed: boolean;
  readonly form: 'block' | 'tlsFirst' | 'flow';
  readonly quote: '' | "'" | '"';
  readonly comment: string;
};

const entry: fc.Arbitrary<Entry> = fc.record({
  address: fc.constantFrom(...legacy, ...legacy, ...others),
  tls: fc.option(fc.constantFrom('DISABLE', 'SIMPLE', 'MUTUAL', 'ISTIO_MUTUAL'), { nil: undefined }),
  subscribed: fc.boolean(),
  form: fc.constantFrom('block', 'tlsFirst', 'flow'),
  quote: fc.constantFrom('', "'", '"'),
  comment: fc.constantFrom('', ' # of old', '\t# tab', '   '),
});

/** Settings beside the list: what they say, and how. */
const settings: readonly (readonly [string, string])[] = [
  ['rootNamespace', 'rootNamespace: istio-system'],
  ['accessLogFile', 'accessLogFile: "/dev/stdout"   # kept'],
  ['accessLogFormat', 'accessLogFormat: |\n  %A% {x}\n\n  y'],
  ['defaultConfig', "defaultConfig:\n  concurrency: 2\n  # inside\n  tracing: {zipkin: {address: 'z:9411'}}"],
  ['trustDomain', "trustDomain: 'it''s'"],
  ['enableTracing', 'enableTracing: true  '],
];

export const generatedFile: fc.Arbitrary<GeneratedFile> = fc
  .record({
    carrier: fc.constantFrom(...carriers),
    entries: fc.array(entry, { maxLength: 5 }),
    hasList: fc.boolean(),
    isFlowList: fc.boolean(),
    emptyAs: fc.constantFrom('[]', '', 'null', '~'),
    indent: fc.constantFrom(0, 2),
    before: fc.subarray([...settings], { maxLength: 3 }),
    after: fc.subarray([...settings]),
    commentLines: fc.constantFrom('', '# first\n\n', '#\ttab\n'),
    crlf: fc.boolean(),
    otherDocument: fc.constantFrom('none', 'before', 'after'),
    endsWithBreak: fc.boolean(),
    pretty: fc.boolean(),
  })
  .map((parts): GeneratedFile => {
    const after = parts.after.filter(([key]) => !parts.before.some(([other]) => other === key));
    const isJson = parts.carrier.startsWith('json');
    const withList = parts.hasList || parts.entries.length > 0;
    const list =
      parts.isFlowList && parts.entries.length > 0 ? flowList(parts.entries) : blockList(parts.entries, parts);
    const block = [
      parts.commentLines,
      ...parts.before.map(([, text]) => `${text}\n`),
      withList ? list : '',
      // Some setting has to be there, or nobody could tell what it is.
      ...(after.length === 0 && parts.before.length === 0 ? ['enableTracing: false\n'] : []),
      ...after.map(([, text]) => `${text}\n`),
      '# the end of it\n',
    ].join('');
    const mesh = isJson ? jsonOf(parts.entries, withList, parts.pretty && parts.carrier !== 'jsonInSingle') : block;
    const { text, meshOf } = carry(parts.carrier, parts.endsWithBreak || isJson ? mesh : mesh.trimEnd());
    const around =
      parts.carrier === 'jsonFile' || parts.otherDocument === 'none'
        ? text
        : parts.otherDocument === 'before'
          ? `# other\nkind: Other\napiVersion: v1\nspec: {a:   1} # odd\n---\n${text}`
          : `${text}${text.endsWith('\n') ? '' : '\n'}---\n# other\nkind: Other\napiVersion: v1\nspec: {a:   1} # odd\n`;
    return {
      name: 'generated.yaml',
      text: parts.crlf ? around.replaceAll('\n', '\r\n') : around,
      addresses: withList ? parts.entries.map(({ address }) => address) : [],
      comments: isJson ? [] : ['# the end of it', ...(parts.commentLines === '' ? [] : [parts.commentLines.trim()])],
      carrier: parts.carrier,
      meshOf,
    };
  });

function quoted({ address, quote }: Entry): string {
  // A plain text can't begin with a bracket.
  if (quote === '') return address.startsWith('[') ? `'${address}'` : address;
  return `${quote}${address}${quote}`;
}

function flowEntry(one: Entry): string {
  const tls = one.tls === undefined ? '' : `, tlsSettings: {mode: ${one.tls}}`;
  const subscribed = one.subscribed ? ', subscribedResources: [SERVICE_REGISTRY]' : '';
  return `{address: "${one.address}"${tls}${subscribed}}`;
}

function flowList(entries: readonly Entry[]): string {
  return `configSources: [ ${entries.map(flowEntry).join(' , ')} ]${entries[0]?.comment ?? ''}\n`;
}

function blockList(
  entries: readonly Entry[],
  { indent, emptyAs }: { readonly indent: number; readonly emptyAs: string },
): string {
  if (entries.length === 0) return `configSources:${emptyAs === '' ? '' : ` ${emptyAs}`} # none\n`;
  const pad = ' '.repeat(indent);
  const lines = entries.map((one) => {
    const { comment, form, tls, subscribed } = one;
    if (form === 'flow') return `${pad}- ${flowEntry(one)}${comment}\n`;
    const tlsLines = tls === undefined ? [] : ['tlsSettings: # tls', `  mode: ${tls}`];
    const address = [`address: ${quoted(one)}${comment}`];
    const subscribedLines = subscribed ? ['subscribedResources:', '- SERVICE_REGISTRY'] : [];
    const all =
      form === 'tlsFirst'
        ? [...tlsLines, ...address, ...subscribedLines]
        : [...address, ...tlsLines, ...subscribedLines];
    return all.map((line, at) => `${pad}${at === 0 ? '- ' : '  '}${line}\n`).join('');
  });
  return `configSources:\n${lines.join('')}`;
}

function jsonOf(entries: readonly Entry[], withList: boolean, pretty: boolean): string {
  const sources = entries.map(({ address, tls, subscribed }) => ({
    address,
    ...(tls === undefined ? {} : { tlsSettings: { mode: tls } }),
    ...(subscribed ? { subscribedResources: ['SERVICE_REGISTRY'] } : {}),
  }));
  return JSON.stringify(
    { enableTracing: true, ...(withList ? { configSources: sources } : {}) },
    undefined,
    pretty ? 2 : 0,
  );
}

type Carried = Pick<GeneratedFile, 'text' | 'meshOf'>;

const head = 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: istio,   namespace: istio-system } # odd\ndata:\n';

function carry(carrier: Carrier, mesh: string): Carried {
  const find = (kind: string) => (documents: readonly unknown[]) =>
    documents.find((one) => (one as { kind?: string }).kind === kind) as Record<string, Record<string, unknown>>;
  const inData: Carried['meshOf'] = (documents, parse) =>
    parse(String(find('ConfigMap')(documents)?.['data']?.['mesh']));
  const block = (header: string) => `${head}  mesh: ${header}\n${indented(mesh, 4)}`;
  const scalar = (text: string) => `${head}  mesh: ${text} # behind\n  meshNetworks: "networks: {}"\n`;
  switch (carrier) {
    case 'plain':
    case 'jsonFile':
      return { text: mesh, meshOf: (documents) => documents.find((one) => !('kind' in (one as object))) };
    case 'operator':
      return {
        text: `apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nspec:\n  profile: default\n  meshConfig:\n${indented(mesh, 4)}`,
        meshOf: (documents) => find('IstioOperator')(documents)?.['spec']?.['meshConfig'],
      };
    case 'values':
      return {
        text: `global: {}\nmeshConfig:\n${indented(mesh, 2)}`,
        meshOf: (documents) =>
          (documents.find((one) => 'global' in (one as object)) as { meshConfig: unknown }).meshConfig,
      };
    case 'literal':
    case 'jsonInLiteral':
      return { text: block('| # behind'), meshOf: inData };
    case 'literalStrip':
      return { text: block('|-'), meshOf: inData };
    case 'literalKeep':
      return { text: block('|+'), meshOf: inData };
    case 'jsonInFolded':
      return { text: block('>-'), meshOf: inData };
    case 'double':
      return { text: scalar(JSON.stringify(mesh)), meshOf: inData };
    case 'jsonInSingle':
      return { text: scalar(`'${mesh}'`), meshOf: inData };
    default:
      return {
        text: `kind: List\napiVersion: v1\nitems:\n- kind: ConfigMap\n  apiVersion: v1\n  metadata: {name: istio-canary}\n  data:\n    mesh: |-\n${indented(mesh, 6)}`,
        meshOf: (documents, parse) => {
          const items = find('List')(documents)?.['items'] as unknown as { data: { mesh: string } }[];
          return parse(items[0]?.data.mesh ?? '');
        },
      };
  }
}

function indented(text: string, by: number): string {
  return text.replaceAll(/^(?=.)/gm, ' '.repeat(by));
}
