// To be loaded with `node --import`: the wall clock of the process is off by as many milliseconds as the file that
// ISTHMUS_TEST_CLOCK names says; it is read again at SIGUSR2. Monotonic clocks and timers go on as they do on a host
// whose clock is set.
import { readFileSync } from 'node:fs';

const file = process.env['ISTHMUS_TEST_CLOCK'];
if (file === undefined) throw new Error('ISTHMUS_TEST_CLOCK names no file');

let offsetMs = 0;
function read() {
  offsetMs = Number(readFileSync(file, 'utf8'));
}
read();
process.on('SIGUSR2', read);

const RealDate = Date;
const now = () => RealDate.now() + offsetMs;

globalThis.Date = class extends RealDate {
  constructor(...parts) {
    if (parts.length === 0) super(now());
    else super(...parts);
  }

  static now() {
    return now();
  }
};
