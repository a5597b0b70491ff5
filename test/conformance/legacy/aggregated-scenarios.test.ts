import { expect, onTestFinished, test } from 'vitest';
import { defaultSourceProfile } from '../../../src/legacy/source-profile.ts';
import { eventually } from '../../support/eventually.ts';
import { gate } from '../../support/gate.ts';
import { entry } from '../../support/legacy-source.ts';
import { AggregatedServer } from '../../support/servers/aggregated.ts';
import { gw, se, SinkLab, we } from '../../support/sink-lab.ts';

// The scenarios of Istio's tests of the client of AggregatedMeshConfigService (1.1.17 pkg/mcp/client). See docs/conformance.md.

/** A server of three types, and a sink that dials it. */
async function start() {
  const server = await AggregatedServer.listen(we, gw, se);
  const lab = new SinkLab(server.port, { profile: { ...defaultSourceProfile, protocol: 'aggregated-1.1' } });
  onTestFinished(() => lab.stop());
  return { server, lab };
}

/** All fields of a request without an error. */
const request = (typeUrl: string, versionInfo: string, responseNonce: string) => ({
  versionInfo,
  sinkNode: { id: '', annotations: {} },
  typeUrl,
  responseNonce,
  errorDetail: null,
});

const initialRequests = [we, gw, se].map((type) => request(type, '', ''));

test('TestSingleTypeCases: each of three types is acknowledged under its version and nonce; one that nobody asked for is refused under its own version', async () => {
  const { server, lab } = await start();
  lab.client.start();
  await eventually(() => server.requests.length === 3);
  expect(server.requests).toEqual(initialRequests);

  server.set(we, 'type0/v0');
  server.set(gw, 'type1/v0');
  server.set(se, 'type2/v0', entry('a/1', 'x'));
  await eventually(() => server.requests.length === 6);
  expect(server.requests.slice(3)).toEqual([
    request(we, 'type0/v0', '1'),
    request(gw, 'type1/v0', '2'),
    request(se, 'type2/v0', '3'),
  ]);

  server.force('unsupported', 'v1');
  await eventually(() => lab.reported.of('sourceNacked').length === 1);
  // The answer waits for a second.
  expect(server.requests).toHaveLength(6);
  lab.clock.advance(1000);
  await eventually(() => server.requests.length === 7);
  const refusal = { code: 12, message: 'unsupported type_url "unsupported"', details: [] };
  expect(server.requests[6]).toEqual({ ...request('unsupported', 'v1', '4'), errorDetail: refusal });

  server.set(se, 'type2/v1', entry('a/1', 'y'));
  await eventually(() => server.requests.length === 8);
  expect(server.requests[7]).toEqual(request(se, 'type2/v1', '5'));
  expect(lab.held()).toEqual({ 'a/1': 'y' });
});

test('TestReconnect: a connection that is lost, before an answer or after it, is followed by a new stream that knows no version', async () => {
  const { server, lab } = await start();
  server.set(se, 'v1', entry('a/1', 'x'));
  lab.client.start();
  await eventually(() => server.requests.length === 4);
  expect(server.requests.at(-1)).toEqual(request(se, 'v1', '1'));

  const door = gate();
  lab.door = door.promise;
  server.set(se, 'v2', entry('a/1', 'y'));
  await eventually(() => lab.accepted.length === 2);
  server.dropConnections();
  await eventually(() => lab.client.connection.state === 'waiting');
  door.open();
  await lab.retry();
  await eventually(() => server.requests.length === 8);
  expect(server.requests.slice(4)).toEqual([...initialRequests, request(se, 'v2', '1')]);
  expect(lab.held()).toEqual({ 'a/1': 'y' });

  server.dropConnections();
  await lab.retry();
  await eventually(() => server.requests.length === 12);
  expect(server.requests.slice(8)).toEqual([...initialRequests, request(se, 'v2', '1')]);
});
