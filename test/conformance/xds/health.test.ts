import { expect, test } from 'vitest';
import { until } from '../../support/until.ts';
import { XdsLab } from '../../support/xds-lab.ts';
import { checkHealth, openHealthWatch } from '../../support/xds-peer.ts';

const status = { serving: 1, notServing: 2, serviceUnknown: 3 };

test('Check says SERVING as soon as the port is open', async () => {
  const lab = await XdsLab.start();
  expect(await checkHealth(lab.port, '')).toBe(status.serving);
});

test('Check of a service that nobody serves is NOT_FOUND', async () => {
  const lab = await XdsLab.start();
  await expect(checkHealth(lab.port, 'no.such.Service')).rejects.toMatchObject({ code: 5 });
});

test('Watch says SERVING, and NOT_SERVING when the shutdown begins', async () => {
  const lab = await XdsLab.start();
  const watch = await openHealthWatch(lab.port);
  expect(watch.statuses).toEqual([status.serving]);
  const stopped = lab.server.stop(60_000);
  await until('the end is announced', () => watch.statuses.length === 2);
  expect(watch.statuses).toEqual([status.serving, status.notServing]);
  watch.cancel();
  await stopped;
});

test('Watch of a service that nobody serves says so', async () => {
  const lab = await XdsLab.start();
  const watch = await openHealthWatch(lab.port, 'no.such.Service');
  expect(watch.statuses).toEqual([status.serviceUnknown]);
});
