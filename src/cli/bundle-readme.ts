import { leftOut } from './bundle-pages.ts';
import { wrap } from './terminal.ts';

type Versions = {
  readonly bridge: string | undefined;
  readonly command: string;
  readonly node: string;
  readonly at: string;
};

/** The README.txt of a bundle: what is in it, what is not, and why. @param missing what could not be read. */
export function readmeOf({ bridge = 'unknown', command, node, at }: Versions, missing: readonly string[]): string {
  const parts = [
    `Support bundle of Isthmus, made at ${at}.`,
    `Bridge: Isthmus ${bridge}. Made by: isthmus bundle ${command}, Node ${node}.`,
    'What is in it',
    `- findings.txt: what is not as it should be, in sentences
- status.txt: what isthmus status shows
- debug/*.json: the debug pages; NAME.2.json is the second page of a long list
- debug/config.json: the config in force, with its defaults
- debug/snapshot/KIND.json: names, versions and sizes of the resources that istiod is given
- log.ndjson: the newest lines of the log, as far as the process keeps them (1000 lines, 1 MiB)
- metrics.txt, healthz.txt, readyz.txt, syncz.json: what the pages of these names answer
- NAME.failed.txt: why a page is not here`,
    'What is not in it, and why',
    `- bodies of resources: they are yours, and may hold secrets. Names, namespaces, hosts that several sources name, labels
  istio.io/rev, versions and sizes are in it; of what a message says of a resource, what stands in quotes is left out
- keys and certificates: their files are never read by a debug page; whose a certificate is and when it ends is in it
- tokens, passwords, cookies, credentials in URLs, PEM blocks, JWTs: replaced by [removed], wherever one is found
- values of match.meta of a source: they may be passwords
- the environment, and names of home folders (written as ~)
${Object.entries(leftOut)
  .map(([page, why]) => `- ${page}: ${why}`)
  .join('\n')}`,
    'Names of sources, resources, namespaces, hosts and addresses are in it. Look through it before you give it away.',
    missing.length === 0 ? 'Every page answered.' : 'What could not be read',
    missing.map((one) => `- ${one}`).join('\n'),
  ];
  const text = parts
    .filter((part) => part !== '')
    .map((part) => (part.includes('\n') ? part : wrap(part, 100).join('\n')));
  return `${text.join('\n\n')}\n`;
}
