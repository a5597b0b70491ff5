import { IsthmusError } from '../src/model/errors.ts';
import { say } from '../src/cli/terminal.ts';
import { type Backup, readBackup, writeBackup } from './meshconfig/backup.ts';
import { isThere, readBytes, writeBytes } from './patch-files.ts';

/**
 * Puts a backup on the disk before anything is changed. It never takes the place of another file: that of the first patch stays
 * where a patch is repeated.
 * @returns true where it was written now.
 * @throws IsthmusError USAGE where the name is that of something else, or of an earlier patch that was made before this one.
 */
export async function keepBackup(name: string, backup: Backup): Promise<boolean> {
  const { sha256: sums, edits } = backup;
  if (!isThere(name)) {
    // The mesh config may hold secrets; nobody else has to read its backup.
    await writeBytes(name, writeBackup(backup), { mode: 0o600 });
    return true;
  }
  if (edits.length === 0) {
    say(`${name} stays as it is: there is nothing to take back`);
    return false;
  }
  const old = readBackup(await readBytes(name));
  const fits =
    typeof old !== 'string' &&
    old.live?.uid === backup.live?.uid &&
    (old.sha256.before === sums.before || old.sha256.after === sums.before);
  if (!fits) {
    throw new IsthmusError('USAGE', name, 'there is such a file already, and it is the backup of something else', {
      hint: 'give another name with --backup',
    });
  }
  if (old.sha256.before !== sums.before) {
    throw new IsthmusError('USAGE', name, 'it is the backup of an earlier patch, and can’t take this one back', {
      hint: 'give another name with --backup; the way back is then by each of them, the last one first',
    });
  }
  if (old.sha256.after !== sums.after) {
    throw new IsthmusError('USAGE', name, 'it is the backup of another patch of this file', {
      hint: 'give another name with --backup, or remove it',
    });
  }
  say(`${name} stays as it is: it has the file as it was before the first patch`);
  return false;
}
