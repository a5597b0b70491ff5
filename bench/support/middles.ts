import { existsSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { packageRoot } from '../../src/model/package.ts';
import { Child } from './child.ts';
import type { HopCommands } from './hop.ts';
import type { ProbeCommands } from './probe.ts';
import { collection } from './service-entries.ts';

const startTimeoutMs = 15_000;

/** What stands between the source and the client, in the order of the table. */
export const middleNames = ['relay', 'protobufjs', 'isthmus'] as const;
export type MiddleName = (typeof middleNames)[number];

/** A middle that runs. */
type Running = { readonly child: Child<ProbeCommands>; readonly port: number };

/** Field of the message that holds the resources: the relay sends the source's `Resources` as they are. */
export const resourcesField: Readonly<Record<MiddleName, number>> = { relay: 3, protobufjs: 2, isthmus: 2 };

const isthmusScript = join(packageRoot(), 'dist/src/main.js');

/** Undefined where the middle can run here; otherwise why it cannot. */
export function whyAbsent(name: MiddleName): string | undefined {
  return name !== 'isthmus' || existsSync(isthmusScript) ? undefined : 'dist/src/main.js does not exist';
}

/** Starts a middle between a source and clients that are still to come. */
export function startMiddle(name: MiddleName, sourcePort: number): Promise<Running> {
  return name === 'isthmus' ? startIsthmus(sourcePort, unprotected) : startHop(name, sourcePort);
}

/** Starts a middle that makes every message of the source into `responseBytes` bytes that lie ready. */
export function startReady(sourcePort: number, responseBytes: number): Promise<Running> {
  return startHop('ready', sourcePort, [String(responseBytes)]);
}

async function startHop(name: string, sourcePort: number, args: readonly string[] = []): Promise<Running> {
  const child = new Child<HopCommands>(name, join(import.meta.dirname, `${name}.js`), args);
  return { child, port: await child.ask('listen', sourcePort) };
}

/** What protects services beside the push path: none of it, for what is measured by itself. */
export const unprotected = ['--guard-hold=0s', '--quarantine-invalid=ignore'];

/** As an operator would, but for the debounce: its wait would be the largest part of every time. */
export async function startIsthmus(
  sourcePort: number,
  more: readonly string[],
): Promise<Running & { readonly adminPort: number }> {
  const [port, adminPort] = await Promise.all([freePort(), freePort()]);
  const child = new Child<ProbeCommands>('isthmus', isthmusScript, [
    'serve',
    `--source=bench=mcp://127.0.0.1:${sourcePort}?collections=${collection}`,
    `--xds-listen=127.0.0.1:${port}`,
    `--admin-listen=127.0.0.1:${adminPort}`,
    '--debounce-after=0ms',
    ...more,
  ]);
  await listening(port, child);
  return { child, port, adminPort };
}

/** A port of 127.0.0.1 on which nobody listens. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

/** Waits until somebody listens; notices when `child` ends instead. */
export async function listening(port: number, child: Child<ProbeCommands>): Promise<void> {
  for (const end = Date.now() + startTimeoutMs; Date.now() < end; await sleep(20)) {
    await child.ask('usage');
    if (await canConnect(port)) return;
  }
  throw new Error(`isthmus does not listen after ${startTimeoutMs / 1000} s`);
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const settle = (could: boolean) => {
      socket.destroy();
      resolve(could);
    };
    socket.on('connect', () => settle(true));
    socket.on('error', () => settle(false));
  });
}
