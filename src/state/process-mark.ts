import { readFileSync, readlinkSync } from 'node:fs';

/**
 * Where a process lives, and when it began: two processes with one number are told apart by it, on one host, over
 * containers and reboots. `home` is the same for all that see each other's numbers: a boot of the kernel and a
 * namespace of process numbers, whose inode is its own for as long as anything lives in it.
 */
export type ProcessMark = { readonly home: string; readonly began: string };

/** Undefined where the system does not say: elsewhere than on Linux. */
export function ownMark(): ProcessMark | undefined {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const began = beganAt('self');
    return began === undefined ? undefined : { home: `${boot} ${readlinkSync('/proc/self/ns/pid')}`, began };
  } catch {
    return undefined;
  }
}

/** When a process of our home began, in ticks since the boot (proc(5), stat, field 22); undefined where it is gone. */
export function beganAt(pid: string): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field is a name in brackets, which may hold blanks and brackets.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}
