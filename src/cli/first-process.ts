/**
 * The kernel lets a signal that the process 1 of a container does not listen to do nothing: who ends the container would
 * wait for all of its grace. So that one ends here as elsewhere; whoever listens besides decides instead. To be imported
 * before anything that takes its time.
 */
if (process.pid === 1) {
  for (const [signal, number] of [
    ['SIGINT', 2],
    ['SIGTERM', 15],
  ] as const) {
    process.on(signal, () => {
      if (process.listenerCount(signal) === 1) process.exit(128 + number);
    });
  }
}
