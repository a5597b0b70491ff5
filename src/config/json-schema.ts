import { z } from 'zod';
import { configSchema } from './schema.ts';

/**
 * The config file as a JSON schema, for editors. It is as strict as a JSON schema can be: names that are used twice
 * and numbers that are too large are found by {@link configSchema} alone.
 */
export function configJsonSchema(): object {
  const { $schema, ...schema } = z.toJSONSchema(configSchema, { io: 'input' });
  return { $schema, title: 'Isthmus', ...schema };
}
