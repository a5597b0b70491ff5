import type { HttpBindings } from '@hono/node-server';
import { Hono } from 'hono';
import { isLogComponent, isLogLevel, type LogLevels } from '../model/log-levels.ts';
import { logComponents, type Logger, logLevels } from '../model/logger.ts';
import { isRecord } from '../model/record.ts';
import { readBody, readJson } from './read-body.ts';
import type { MayWrite } from './write-access.ts';

const usage =
  'a JSON object is expected: {"level": LEVEL}, or {"component": NAME, "level": LEVEL}; ' +
  `levels: ${logLevels.join(', ')}; components: ${Object.keys(logComponents).join(', ')}`;

/**
 * `/debug/log-level`: GET shows what is logged, PUT changes it until the next start, or until a reload of the config that has another
 * level than before.
 */
export function logRoutes(levels: LogLevels, mayWrite: MayWrite, log: Logger): Hono<{ Bindings: HttpBindings }> {
  const app = new Hono<{ Bindings: HttpBindings }>();
  app.get('/debug/log-level', (c) => c.json(levels.settings));
  app.put('/debug/log-level', async (c) => {
    const { incoming } = c.env;
    const refusal = await mayWrite(incoming);
    if (refusal !== undefined) return c.json({ error: refusal.error }, refusal.status);
    const asked = readJson((await readBody(c.req.raw)) ?? '');
    if (!isRecord(asked)) return c.json({ error: usage }, 400);
    const { level, component, ...others } = asked;
    if (typeof level !== 'string' || !isLogLevel(level) || Object.keys(others).length > 0) {
      return c.json({ error: usage }, 400);
    }
    if (component === undefined) levels.set(level);
    else if (typeof component === 'string' && isLogComponent(component)) levels.set(level, component);
    else return c.json({ error: usage }, 400);
    const peer = incoming.socket.remoteAddress ?? '';
    const what = `the level of the log is ${level} now${component === undefined ? '' : `, of ${component}`}`;
    log.warn({ peer, hint: 'it is what the config says again after a restart' }, what);
    return c.json(levels.settings);
  });
  return app;
}
