/** One instruction of a Dockerfile. */
export type Instruction = { readonly name: string; readonly text: string };

/** A stage: what its FROM names, and all that follows. */
export type Stage = {
  readonly base: string;
  readonly name: string | undefined;
  readonly instructions: readonly Instruction[];
};

/** Reads a Dockerfile as far as ours uses the language: no heredocs, no ARG, no parser directives. */
export function parseDockerfile(text: string): readonly Stage[] {
  const lines = text
    .split('\n')
    .filter((line) => !/^\s*(#|$)/.test(line))
    .join('\n')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n');
  const stages: { base: string; name: string | undefined; instructions: Instruction[] }[] = [];
  for (const line of lines) {
    const [, name = '', rest = ''] = /^([A-Z]+) (.*)$/.exec(line) ?? [];
    if (name === 'FROM') {
      const [, base = '', stage] = /^(\S+)(?: AS (\S+))?$/.exec(rest) ?? [];
      stages.push({ base, name: stage, instructions: [] });
    } else {
      const stage = stages.at(-1);
      if (name === '' || stage === undefined) throw new Error(`not understood in the Dockerfile: ${line}`);
      stage.instructions.push({ name, text: rest });
    }
  }
  return stages;
}

/** Whether a file at the top of the context reaches the build: our .dockerignore is a list of those that do. */
export function reachesBuild(ignore: string): (topLevelName: string) => boolean {
  const lines = ignore.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const [all, ...allowed] = lines;
  if (all !== '*' || !allowed.every((line) => /^![\w.-]+$/.test(line))) {
    throw new Error('.dockerignore is to be "*", and then what is not ignored');
  }
  const names = new Set(allowed.map((line) => line.slice(1)));
  return (name) => names.has(name);
}
