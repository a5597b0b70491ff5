import { Document, visit, type Tags } from 'yaml';
import { messageOf } from '../model/errors.ts';
import type { ResourceView } from '../wire/resource-view.ts';
import { bodyToJson, kindOfBody } from './json.ts';
import { pathText } from './problem.ts';

/** A resource as `kubectl get -o yaml` shows it, without what only its cluster knows. */
export type KubernetesObject = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly creationTimestamp?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: object;
};

/** What can be said of a resource whose body is not read. */
type ResourceSummary = {
  /** Full name of the body message where the kind is not known either. */
  readonly kind: string;
  /** `namespace/name`. */
  readonly name: string;
  readonly version: string;
  readonly createTime?: string;
  /** Bytes of the body. */
  readonly size: number;
};

/** `notes`: what the object does not show, one sentence each; empty almost always. */
export type ResourceObject = { readonly object: KubernetesObject | ResourceSummary; readonly notes: readonly string[] };

/**
 * A wire resource in the form that people know: a Kubernetes object; a summary for a body of a type that no kind has,
 * and for one that is no protobuf. apiVersion is the oldest that istiod asks for, which every
 * API server with Istio's kinds takes. The version of MCP is not shown: as resourceVersion it would stop kubectl apply.
 */
export function resourceToObject(view: ResourceView): ResourceObject {
  const kind = kindOfBody(view.bodyType);
  if (kind === undefined) return { object: summary(view, view.bodyType), notes: [] };
  try {
    const { spec, problems } = bodyToJson(kind, view.body);
    return {
      object: { apiVersion: `${kind.group}/${kind.versions[0]}`, kind: kind.kind, metadata: metadataOf(view), spec },
      notes: problems.map(({ path, message, hint }) => `${pathText(path)}: ${message}; ${hint}`),
    };
  } catch (error) {
    return { object: summary(view, kind.kind), notes: [`the body is no ${kind.kind}: ${messageOf(error)}`] };
  }
}

/** Objects as YAML documents. Every text that some YAML reader would take for something else is in quotes. */
export function toYaml(objects: Iterable<object>): string {
  return Array.from(objects, documentText).join('---\n');
}

/**
 * YAML 1.1 is what kubectl and istioctl read (`yes` is a boolean there), 1.2 is what we read. The merge tag goes
 * because it would write a label named `<<` without quotes.
 */
const yamlOptions = {
  version: '1.1',
  customTags: (tags: Tags) => tags.filter((tag) => typeof tag === 'string' || tag.tag !== 'tag:yaml.org,2002:merge'),
  aliasDuplicateObjects: false,
} as const;

/** Text that YAML 1.1 leaves without quotes, although another reader takes it for a number or a merge. */
const ambiguous = /^(0o[0-7]+|<<|=)$/;

function documentText(object: object): string {
  const document = new Document(object, yamlOptions);
  visit(document, {
    Scalar: (_, scalar) => {
      if (typeof scalar.value === 'string' && ambiguous.test(scalar.value)) scalar.type = 'QUOTE_DOUBLE';
    },
  });
  return document.toString({ lineWidth: 0, directives: false });
}

function metadataOf(view: ResourceView): KubernetesObject['metadata'] {
  const slash = view.name.indexOf('/');
  const created = view.createTime?.replace('.000Z', 'Z');
  return {
    name: view.name.slice(slash + 1),
    ...(slash > 0 ? { namespace: view.name.slice(0, slash) } : {}),
    ...(created === undefined ? {} : { creationTimestamp: created }),
    ...(Object.keys(view.labels).length > 0 ? { labels: view.labels } : {}),
    ...(Object.keys(view.annotations).length > 0 ? { annotations: view.annotations } : {}),
  };
}

function summary(view: ResourceView, kind: string): ResourceSummary {
  const { name, version, createTime, body } = view;
  return { kind, name, version, ...(createTime === undefined ? {} : { createTime }), size: body.length };
}
