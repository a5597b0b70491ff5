import { configSchema } from './schema.ts';
import { z } from './zod.ts';

/**
 * The config file as a JSON schema, for editors. It is as strict as a JSON schema can be: names that are used twice
 * and numbers that are too large are found by {@link configSchema} alone.
 */
export function configJsonSchema(): object {
  const { $schema, ...schema } = z.toJSONSchema(configSchema, { io: 'input' });
  return { $schema, title: 'Isthmus', ...schema };
}

type Schema = { readonly properties?: Readonly<Record<string, Schema>>; readonly items?: Schema };

/** Made when the first mistake is found: it takes some milliseconds. */
let made: Schema | undefined;

/** Names of the settings that may stand at a place of the config; none where it has no settings. */
export function settingsAt(path: readonly (string | number)[]): string[] {
  let schema: Schema | undefined = (made ??= configJsonSchema());
  for (const part of path) schema = typeof part === 'number' ? schema?.items : schema?.properties?.[part];
  return Object.keys(schema?.properties ?? {});
}
