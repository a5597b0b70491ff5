/**
 * The kernel lets a signal that the process 1 of a container does not listen to do nothing: who ends the container would
 * wait for all of its grace. After this, that process ends at SIGINT and SIGTERM as one does elsewhere; where something
 * else listens to the signal as well, that decides instead.
 */
export function endAsFirstProcess(): void {
  if (process.pid !== 1) return;
  for (const [signal, number] of [
    ['SIGINT', 2],
    ['SIGTERM', 15],
  ] as const) {
    process.on(signal, () => {
      if (process.listenerCount(signal) === 1) process.exit(128 + number);
    });
  }
}
