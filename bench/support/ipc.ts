/** What a process of the benchmark can be asked to do, by name. */
export type Commands = Readonly<Record<string, (...args: never[]) => unknown>>;

export type Question = { readonly id: number; readonly verb: string; readonly args: readonly unknown[] };
export type Answer = { readonly id: number } & ({ readonly value: unknown } | { readonly error: string });

const known = new Map<string, Commands[string]>();
/** Questions that came before the script that can answer them was loaded. */
const early = new Set<Question>();

/** Answers questions of the driver, and keeps the process alive for them. */
export function answer(commands: Commands): void {
  if (known.size === 0) process.on('message', (question: Question) => void reply(question));
  for (const [verb, command] of Object.entries(commands)) known.set(verb, command);
  process.channel?.ref();
  for (const question of early) void reply(question);
}

async function reply(question: Question): Promise<void> {
  const { id, verb, args } = question;
  const command = known.get(verb);
  if (command === undefined) {
    early.add(question);
    return;
  }
  early.delete(question);
  try {
    process.send?.({ id, value: await command(...(args as never[])) } satisfies Answer);
  } catch (error) {
    process.send?.({ id, error: error instanceof Error ? error.message : String(error) } satisfies Answer);
  }
}

/** Milliseconds on a clock that all processes of a machine share. */
export function sharedNow(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
