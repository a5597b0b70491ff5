let isOutlived = false;
let isWaiting = false;
let run: (() => void) | undefined;

/** From now on, SIGHUP does not end the process; one that comes before {@link onHangup} waits for it. */
export function outliveHangups(): void {
  if (isOutlived) return;
  isOutlived = true;
  process.on('SIGHUP', () => {
    if (run === undefined) isWaiting = true;
    else run();
  });
  // The end of the event loop would take the handler away, and then the process itself may take a while.
  process.once('beforeExit', () => process.exit());
}

/** Calls `listener` at each SIGHUP, and at once where one has come already. */
export function onHangup(listener: () => void): void {
  run = listener;
  if (!isWaiting) return;
  isWaiting = false;
  listener();
}
