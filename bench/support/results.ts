/** Results as JSON, with each list of numbers on one line. */
export function asText(results: object): string {
  const text = JSON.stringify(results, undefined, 2);
  const flat = text.replace(/\[[\d\s.,e-]*\]/g, (list) => list.replace(/\s+/g, ' '));
  return `${flat}\n`;
}
