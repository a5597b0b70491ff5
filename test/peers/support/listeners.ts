import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** A listening TCP socket; the address is written as in /proc/net/tcp, in hexadecimal. */
export type Listener = { readonly address: string; readonly port: number; readonly loopback: boolean };

const loopback = /^(0100007F|00000000000000000000000001000000|0000000000000000FFFF00000100007F)$/;
const stateListen = '0A';

function socketInodes(pid: number): Set<string> {
  const inodes = new Set<string>();
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    try {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
      if (inode) inodes.add(inode);
    } catch {
      // The descriptor was closed in between.
    }
  }
  return inodes;
}

/** Whether {@link listeners} can tell anything on this machine. */
export const listenersKnown = process.platform === 'linux';

/** All TCP sockets that a process listens on. Linux only. */
export function listeners(pid: number): Listener[] {
  const inodes = socketInodes(pid);
  const found: Listener[] = [];
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of readFileSync(table, 'utf8').split('\n').slice(1)) {
      const columns = line.trim().split(/\s+/);
      const [address = '', port = ''] = (columns[1] ?? '').split(':');
      if (columns[3] !== stateListen || !inodes.has(columns[9] ?? '')) continue;
      found.push({ address, port: Number.parseInt(port, 16), loopback: loopback.test(address) });
    }
  }
  return found;
}
