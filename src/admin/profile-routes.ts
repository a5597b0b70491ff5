import { Session } from 'node:inspector/promises';
import { getHeapSnapshot } from 'node:v8';
import type { HttpBindings } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { type Context, Hono } from 'hono';
import { pipeline } from 'node:stream/promises';
import { messageOf } from '../model/errors.ts';
import type { Logger } from '../model/logger.ts';
import { whyNoWrite } from './write-access.ts';

type Env = { Bindings: HttpBindings };

/** Seconds of a CPU profile. */
const defaultSeconds = 10;
const maxSeconds = 60;

/**
 * `/debug/cpu` and `/debug/heap`: what the process spends its time and its memory on, for the developer tools of Chrome. Each slows it
 * down or stops it, and the second has all that it holds, keys too: for requests of this host alone, as {@link whyNoWrite} says, whatever
 * the address of the listener, with no token. One at a time.
 */
export function profileRoutes(log: Logger): Hono<Env> {
  const app = new Hono<Env>();
  let isBusy = false;
  /** Answers unless it may not be asked for, or another one is being made. */
  const alone = async (c: Context<Env>, make: () => Promise<Response>): Promise<Response> => {
    const refusal = whyNoWrite(c.env.incoming);
    if (refusal !== undefined) return c.json({ error: refusal }, 403);
    // Of an answer without a body, nobody has any use.
    if (c.req.method !== 'GET') return c.json({ error: 'this is read with GET' }, 405, { allow: 'GET' });
    if (isBusy) return c.json({ error: 'another profile is being made; ask again when it is done' }, 409);
    isBusy = true;
    try {
      return await make();
    } finally {
      isBusy = false;
    }
  };

  app.get('/debug/cpu', (c) =>
    alone(c, async () => {
      const seconds = Number(c.req.query('seconds') ?? defaultSeconds);
      if (!(seconds >= 1 && seconds <= maxSeconds)) {
        return c.json(
          { error: `seconds is a number from 1 to ${maxSeconds}: /debug/cpu?seconds=${defaultSeconds}` },
          400,
        );
      }
      log.warn({ seconds }, 'a CPU profile is being made, which slows this process down');
      const profile = await cpuProfile(seconds, gone(c));
      return c.body(JSON.stringify(profile), 200, download('application/json', 'isthmus.cpuprofile'));
    }),
  );

  app.get('/debug/heap', (c) =>
    alone(c, async () => {
      log.warn({}, 'a snapshot of the heap is being made, which stops this process meanwhile');
      const { outgoing } = c.env;
      outgoing.writeHead(200, download('application/json', 'isthmus.heapsnapshot'));
      try {
        await pipeline(getHeapSnapshot(), outgoing);
      } catch (error) {
        log.warn({ hint: 'ask again' }, `the snapshot of the heap was not read to its end: ${messageOf(error)}`);
      }
      return RESPONSE_ALREADY_SENT;
    }),
  );
  return app;
}

const download = (type: string, name: string) => ({
  'content-type': type,
  'content-disposition': `attachment; filename="${name}"`,
  'cache-control': 'no-store',
});

/** Settles when who has asked is gone. */
function gone(c: Context<Env>): Promise<void> {
  return new Promise((resolve) => {
    c.env.outgoing.once('close', resolve);
  });
}

/** In the format of `.cpuprofile`; of a shorter time where `end` settles before. */
async function cpuProfile(seconds: number, end: Promise<void>): Promise<unknown> {
  const session = new Session();
  session.connect();
  try {
    await session.post('Profiler.enable');
    await session.post('Profiler.start');
    let timer: NodeJS.Timeout | undefined;
    const over = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, seconds * 1000);
    });
    await Promise.race([over, end]);
    clearTimeout(timer);
    const { profile } = await session.post('Profiler.stop');
    return profile;
  } finally {
    session.disconnect();
  }
}
