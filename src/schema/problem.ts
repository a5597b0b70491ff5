/** Where in a JSON value something is: names of fields and indices of lists, from the top. */
export type Path = readonly (string | number)[];

/**
 * Something wrong in a JSON value or in the bytes of a body.
 * `error`: the value can't be used. `warning`: it can, without the part that `path` names.
 */
export type Problem = {
  readonly severity: 'error' | 'warning';
  readonly path: Path;
  /** True where the name itself is wrong, not the value behind it. */
  readonly onKey?: boolean;
  /** True for a field that istiod 1.9 and newer passes over; the body keeps it. */
  readonly isDropped?: boolean;
  /** True where bytes are no text in UTF-8: Go's protobuf, since 1.14 of istiod, takes no message with such. */
  readonly notText?: boolean;
  readonly message: string;
  /** What to do about it. */
  readonly hint: string;
};

/** A path as people write it: `spec.endpoints[2].labels["app.kubernetes.io/name"]`. */
export function pathText(path: Path): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else if (/^[A-Za-z_][\w-]*$/.test(step)) text += text === '' ? step : `.${step}`;
    else text += `[${JSON.stringify(step)}]`;
  }
  return text;
}

/** A JSON value as it reads in a message, cut where it is long. */
export function valueText(json: unknown): string {
  if (Array.isArray(json)) return 'a list';
  if (typeof json === 'object' && json !== null) return 'an object';
  if (typeof json !== 'string') return String(json);
  return JSON.stringify(json.length > 40 ? `${json.slice(0, 40)}…` : json);
}
