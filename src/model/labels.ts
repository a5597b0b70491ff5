const dnsLabel = '[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?';
const qualified = '(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const keyPattern = new RegExp(`^(?:(${dnsLabel}(?:\\.${dnsLabel})*)/)?(${qualified})$`);
const valuePattern = new RegExp(`^(?:${qualified})?$`);
const maxPrefix = 253;
const maxName = 63;

/** True for what Istio takes as the name of a label. Source: pkg/config/labels/instance.go Validate, 1.14 to 1.31. */
export function isLabelName(text: string): boolean {
  const [found, prefix = '', name = ''] = keyPattern.exec(text) ?? [];
  return found !== undefined && prefix.length <= maxPrefix && name.length <= maxName;
}

/** True for what Istio takes as the value of a label; a long one is no value of Kubernetes, and is one here. Source: as above. */
export function isLabelValue(text: string): boolean {
  return valuePattern.test(text);
}
