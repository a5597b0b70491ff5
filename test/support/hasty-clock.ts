import { type Clock, systemClock } from '../../src/model/clock.ts';

/** A real clock that runs so many times faster: for time-outs of minutes in a bridge with real sockets. */
export function hastyClock(times: number): Clock {
  return {
    now: () => systemClock.now() * times,
    date: () => systemClock.date(),
    after: (ms, run) => systemClock.after(ms / times, run),
  };
}
