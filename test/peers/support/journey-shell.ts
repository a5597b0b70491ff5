import { chmodSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Addresses, type Address } from './addresses.ts';
import { mustRun, run } from './run.ts';

const root = join(import.meta.dirname, '../../..');
const main = join(root, 'dist/src/main.js');

export type Said = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

/**
 * A shell in which the commands of a plan run as they are written. isthmus, kubectl and curl are the real ones, and find
 * what has a name of the cluster on this machine; kubectl exec runs the command here, kubectl port-forward does nothing,
 * since everything is here already, and docker does nothing.
 */
export class JourneyShell {
  readonly folder: string;
  readonly #bin: string;
  #addresses: Addresses;

  private constructor(folder: string, bin: string, addresses: Addresses) {
    this.folder = folder;
    this.#bin = bin;
    this.#addresses = addresses;
  }

  /** @param adminPort of the bridge, which is where isthmus status looks in the Pod. */
  static async create(
    parent: string,
    { kubeconfig, addresses, adminPort }: { kubeconfig: string; addresses: readonly Address[]; adminPort: number },
  ): Promise<JourneyShell> {
    const [folder, bin] = [join(parent, 'work'), join(parent, 'bin')];
    for (const one of [folder, bin]) mkdirSync(one);
    if (!existsSync(join(folder, 'deploy'))) symlinkSync(join(root, 'deploy'), join(folder, 'deploy'));
    const [kubectl, curl] = await Promise.all(
      ['kubectl', 'curl'].map(async (tool) => (await mustRun('sh', ['-c', `command -v ${tool}`])).trim()),
    );
    const here = `for word; do shift; set -- "$@" "$(printf %s "$word" | sed -f '${join(bin, 'map.sed')}')"; done`;
    const scripts = {
      isthmus: [
        `[ "$*" = status ] && set -- status http://127.0.0.1:${adminPort}`,
        `case "$1 $2" in check*|status*|get*|"migrate verify") ${here} ;; esac`,
        `exec '${process.execPath}' '${main}' "$@"`,
      ],
      kubectl: [
        'case " $* " in',
        '*" exec statefulset/isthmus -- "*) while [ "$1" != -- ]; do shift; done; shift; exec "$@" ;;',
        '*" port-forward "*) exit 0 ;;',
        'esac',
        `exec '${kubectl}' --kubeconfig '${kubeconfig}' "$@"`,
      ],
      curl: [here, `exec '${curl}' "$@"`],
      docker: ['exit 0'],
    };
    for (const [name, lines] of Object.entries(scripts)) {
      writeFileSync(join(bin, name), ['#!/bin/sh', ...lines, ''].join('\n'));
      chmodSync(join(bin, name), 0o755);
    }
    return new JourneyShell(folder, bin, new Addresses(addresses));
  }

  get addresses(): Addresses {
    return this.#addresses;
  }

  /** Where things are from now on: programs come and go. */
  use(addresses: readonly Address[]): void {
    this.#addresses = new Addresses(addresses);
  }

  /** Runs a command; what it says has the names of the cluster again. */
  async run(command: string): Promise<Said> {
    writeFileSync(join(this.#bin, 'map.sed'), this.#addresses.sed);
    const script = `PATH='${this.#bin}':"$PATH"\n${command}`;
    const finished = await run('sh', ['-c', script], { cwd: this.folder });
    if (finished === undefined) throw new Error('there is no shell');
    const there = (text: string) => this.#addresses.toThere(text, command);
    return { code: finished.code, stdout: there(finished.stdout), stderr: there(finished.stderr) };
  }
}
