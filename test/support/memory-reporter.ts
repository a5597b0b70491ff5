import { type Reporter, silentReporter } from '../../src/model/reporter.ts';

type Call = { readonly method: keyof Reporter; readonly args: readonly unknown[] };

/** A reporter that remembers what it was told. */
export class MemoryReporter {
  readonly calls: Call[] = [];
  readonly reporter: Reporter;

  constructor() {
    const methods = Object.keys(silentReporter) as (keyof Reporter)[];
    this.reporter = Object.fromEntries(
      methods.map((method) => [method, (...args: unknown[]) => void this.calls.push({ method, args })]),
    ) as Reporter;
  }

  /** The arguments of every call of `method`, in order. */
  of<M extends keyof Reporter>(method: M): Parameters<Reporter[M]>[] {
    return this.calls.filter((call) => call.method === method).map(({ args }) => args as Parameters<Reporter[M]>);
  }
}
