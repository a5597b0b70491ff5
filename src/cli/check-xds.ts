import { type Kind, kindOfTypeUrl, kinds, meshConfigTypeUrl } from '../model/kinds.ts';
import type { HostPort } from '../net/address.ts';
import { type ResourceView, viewResourceBytes } from '../wire/resource-view.ts';
import type { ResponseResource } from '../wire/xds-messages.ts';
import { openAds } from '../xds/ads-client.ts';
import { firstMinorOf, v1Minor } from '../xds/istiod-version.ts';
import { about, type Finding } from './check-findings.ts';
import { countOf } from '../model/texts.ts';
import { type Readers, sizeFindings } from './check-limits.ts';

/** What a server has answered. */
export type XdsAnswers = {
  readonly asked: readonly Kind[];
  /** Kind id → what came for it last. */
  readonly answers: ReadonlyMap<string, readonly ResponseResource[]>;
  readonly answeredMeshConfig: boolean;
  /** How the stream ended, where the server ended it. */
  readonly end: { readonly code: number; readonly details: string } | undefined;
};

/** The kinds that an istiod asks for, with the type URLs that it uses. */
export function questionsOf(minor: number): { kind: Kind; typeUrl: string }[] {
  return kinds
    .filter(({ kind }) => minor >= (firstMinorOf[kind] ?? 0))
    .map((kind) => {
      const version = minor >= v1Minor ? kind.versions.at(-1) : kind.versions[0];
      return { kind, typeUrl: `${kind.group}/${version}/${kind.kind}` };
    });
}

/** Connects as istiod does, asks for everything, and ends once all is answered, or after `timeoutMs`. */
export function askAsIstiod(address: HostPort, minor: number, timeoutMs: number): Promise<XdsAnswers> {
  const questions = questionsOf(minor);
  const answers = new Map<string, readonly ResponseResource[]>();
  let answeredMeshConfig = false;
  return new Promise((resolve) => {
    const settle = (end?: XdsAnswers['end']) => {
      clearTimeout(timer);
      stream.close();
      resolve({ asked: questions.map(({ kind }) => kind), answers, answeredMeshConfig, end });
    };
    const timer = setTimeout(() => settle(), timeoutMs);
    const stream = openAds(address, [meshConfigTypeUrl, ...questions.map(({ typeUrl }) => typeUrl)], {
      onResponse({ typeUrl, resources }) {
        if (typeUrl === meshConfigTypeUrl) answeredMeshConfig = true;
        const kind = kindOfTypeUrl(typeUrl);
        if (kind !== undefined) answers.set(kind.id, resources);
        if (questions.every((question) => answers.has(question.kind.id))) settle();
      },
      onEnd: (code, details) => settle({ code, details }),
    });
  });
}

/** What the answers mean for an istiod. */
export function xdsFindings(
  { asked, answers, answeredMeshConfig, end }: XdsAnswers,
  subject: string,
  readers: Readers,
): Finding[] {
  const { ok, info, error } = about(subject);
  if (answers.size === 0 && end !== undefined) {
    const what =
      end.code === 12
        ? 'it is a gRPC server that does not serve MCP-over-xDS'
        : `it ended the stream without an answer (code ${end.code}): ${end.details.slice(0, 200)}`;
    const next = 'give the address of the bridge’s xds.listen; its admin port is http://, a legacy server mcp://';
    return [error('XDS_NOT_SPOKEN', what, next)];
  }
  const findings: Finding[] = [];
  const silent = asked.filter(({ id }) => !answers.has(id)).map(({ kind }) => kind);
  if (answers.size > 0) {
    findings.push(ok('XDS_SPOKEN', `it speaks MCP-over-xDS: ${answers.size} of ${asked.length} kinds are answered`));
  }
  if (silent.length > 0) {
    const what = `no answer for ${silent.join(', ')}: istiod 1.16 and newer stays unready until there is one`;
    const next = 'of a bridge, isthmus status says who is waited for; of another server, see its log';
    findings.push(error('XDS_SILENT', what, next, { kinds: silent }));
  }
  if (answeredMeshConfig) {
    const what = 'it answers MeshConfig, which freezes istiod 1.9 to 1.11 for ever';
    const next = 'use a server that does not, such as Isthmus';
    findings.push(readers === 'new' ? info('XDS_MESH_CONFIG', what) : error('XDS_MESH_CONFIG', what, next));
  }
  const sizes = asked.map((kind) => {
    const resources = answers.get(kind.id) ?? [];
    return {
      kind: kind.kind,
      resources: resources.length,
      bytes: resources.reduce((sum, one) => sum + entryBytes(one), 0),
    };
  });
  findings.push(...sizeFindings(subject, sizes, readers));
  for (const kind of asked) findings.push(...resourceFindings(kind, answers.get(kind.id) ?? [], subject, readers));
  return findings;
}

/** Bytes of a resource in a DiscoveryResponse: an `Any`, and what is around each of its fields and itself. */
function entryBytes({ typeUrl, value }: ResponseResource): number {
  const field = (length: number) => 1 + varintBytes(length) + length;
  return field(field(Buffer.byteLength(typeUrl)) + field(value.length));
}

function varintBytes(value: number): number {
  return value < 2 ** 7 ? 1 : value < 2 ** 14 ? 2 : value < 2 ** 21 ? 3 : 4;
}

function resourceFindings(
  kind: Kind,
  resources: readonly ResponseResource[],
  subject: string,
  readers: Readers,
): Finding[] {
  const { warning, error } = about(subject);
  const bad: { name: string; why: string }[] = [];
  const names = new Set<string>();
  let unversioned = 0;
  for (const { value } of resources) {
    let view: ResourceView;
    try {
      view = viewResourceBytes(value);
    } catch {
      bad.push({ name: '(unreadable)', why: 'it is no istio.mcp.v1alpha1.Resource' });
      continue;
    }
    const why = names.has(view.name) ? 'it is there twice' : faultOf(view, kind, readers);
    if (why !== undefined) bad.push({ name: view.name, why });
    names.add(view.name);
    if (view.version === '') unversioned++;
  }
  const findings: Finding[] = [];
  const [first] = bad;
  if (first !== undefined) {
    const what = `${kind.kind}: istiod would not take ${countOf(bad.length, 'resource')} as sent, for example ${first.name}: ${first.why}`;
    findings.push(
      error('XDS_BAD_RESOURCES', what, 'mend them at the server', { kind: kind.kind, resources: bad.slice(0, 1000) }),
    );
  }
  if (unversioned > 0 && readers !== 'old') {
    const what = `${kind.kind}: ${countOf(unversioned, 'resource')} without a version, which istiod 1.12 and newer takes for changed at every push`;
    findings.push(warning('XDS_UNVERSIONED', what, 'serve versions that change with the content, as Isthmus does'));
  }
  return findings;
}

/** What istiod would not like (pkg/adsc/adsc.go mcpToPilot; measured on 1.9 to 1.30). */
function faultOf({ name, bodyType, createTime }: ResourceView, kind: Kind, readers: Readers): string | undefined {
  const parts = name.split('/');
  if (parts.length !== 2 || parts.includes('')) return 'its name is no namespace/name';
  if (bodyType !== kind.body)
    return `its body is ${bodyType === '' ? 'missing' : `a ${bodyType}`}, and no ${kind.body}`;
  if (createTime === undefined && readers !== 'new')
    return 'it has no create_time, without which istiod up to 1.13 drops it';
  return undefined;
}
