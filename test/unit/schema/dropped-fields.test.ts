import { describe, expect, test } from 'vitest';
import { type Kind, kinds } from '../../../src/model/kinds.ts';
import { typeOfBody } from '../../../src/schema/descriptor.ts';
import { bodyFromJson, bodyToJson } from '../../../src/schema/json.ts';
import { pathText } from '../../../src/schema/problem.ts';
import { field, number } from '../wire/fields.ts';
import { fieldNames, fieldsIn } from './field-names.ts';

describe('a field that Istio dropped', () => {
  const of = (name: string): Kind => kinds.find(({ kind }) => kind === name) as Kind;
  const struct = (key: string, value: string) => field(1, field(1, key), field(2, field(3, value)));
  // Numbers as in istio.io/api 1.1.17, 1.4.10, 1.5.10 and 1.6.14.
  const cases: { name: string; bytes: Buffer; spec: object; said: string[] }[] = [
    {
      name: 'VirtualService',
      bytes: Buffer.concat([
        field(
          3,
          field(
            2,
            field(1, field(1, 'a'), field(3, field(2, 'http'))),
            field(3, 'x-a'),
            field(4, field(1, 'x-b'), field(2, '1')),
            field(5, 'x-c'),
            field(6, field(1, 'x-d'), field(2, '2')),
          ),
          number(5, 1),
          field(8, field(2, number(1, 7), number(2, 503))),
          field(11, field(1, 'x-e'), field(2, '3')),
          field(12, 'x-f'),
          field(13, field(1, 'x-g'), field(2, '4')),
          field(14, 'x-h'),
          field(15, field(1, 'x-i'), field(2, '5')),
        ),
        field(5, field(1, field(1, 'sni'), field(4, '10.0.0.0/8'))),
      ]),
      spec: {
        http: [
          {
            route: [
              {
                destination: { host: 'a', port: { name: 'http' } },
                removeResponseHeaders: ['x-a'],
                appendResponseHeaders: { 'x-b': '1' },
                removeRequestHeaders: ['x-c'],
                appendRequestHeaders: { 'x-d': '2' },
              },
            ],
            websocketUpgrade: true,
            fault: { abort: { httpStatus: 503, percent: 7 } },
            appendHeaders: { 'x-e': '3' },
            removeResponseHeaders: ['x-f'],
            appendResponseHeaders: { 'x-g': '4' },
            removeRequestHeaders: ['x-h'],
            appendRequestHeaders: { 'x-i': '5' },
          },
        ],
        tls: [{ match: [{ sniHosts: ['sni'], sourceSubnet: '10.0.0.0/8' }] }],
      },
      said: [
        'spec.http[0].route[0].destination.port.name',
        'spec.http[0].route[0].removeResponseHeaders',
        'spec.http[0].route[0].appendResponseHeaders',
        'spec.http[0].route[0].removeRequestHeaders',
        'spec.http[0].route[0].appendRequestHeaders',
        'spec.http[0].websocketUpgrade',
        'spec.http[0].fault.abort.percent',
        'spec.http[0].appendHeaders',
        'spec.http[0].removeResponseHeaders',
        'spec.http[0].appendResponseHeaders',
        'spec.http[0].removeRequestHeaders',
        'spec.http[0].appendRequestHeaders',
        'spec.tls[0].match[0].sourceSubnet',
      ],
    },
    {
      name: 'EnvoyFilter',
      bytes: Buffer.concat([
        field(1, field(1, 'app'), field(2, 'reviews')),
        field(
          2,
          field(1, number(1, 80), field(2, 'http'), number(3, 3), number(4, 1), field(5, '10.0.0.1')),
          field(2, number(1, 2), field(2, 'mixer')),
          number(3, 1),
          field(4, 'envoy.lua'),
          field(5, struct('inlineCode', 'x')),
        ),
      ]),
      spec: {
        workloadLabels: { app: 'reviews' },
        filters: [
          {
            listenerMatch: {
              portNumber: 80,
              portNamePrefix: 'http',
              listenerType: 'GATEWAY',
              listenerProtocol: 'HTTP',
              address: ['10.0.0.1'],
            },
            insertPosition: { index: 'BEFORE', relativeTo: 'mixer' },
            filterType: 'HTTP',
            filterName: 'envoy.lua',
            filterConfig: { inlineCode: 'x' },
          },
        ],
      },
      said: ['spec.workloadLabels', 'spec.filters'],
    },
    {
      name: 'Sidecar',
      bytes: Buffer.concat([
        field(2, field(6, number(1, 1))),
        field(3, field(4, '*/*'), field(5, number(2, 1))),
        field(6, field(1, number(1, 2)), field(2, field(3, 'cert.pem'))),
      ]),
      spec: {
        ingress: [{ localhostClientTls: { mode: 'SIMPLE' } }],
        egress: [{ hosts: ['*/*'], localhostServerTls: { mode: 'SIMPLE' } }],
        localhost: { clientTls: { mode: 'MUTUAL' }, serverTls: { serverCertificate: 'cert.pem' } },
      },
      said: ['spec.ingress[0].localhostClientTls', 'spec.egress[0].localhostServerTls', 'spec.localhost'],
    },
  ];

  test.each(cases)('of a $name is shown, and kept when it is read back, with a warning', (one) => {
    const kind = of(one.name);
    expect(bodyToJson(kind, one.bytes)).toEqual({ spec: one.spec, problems: [] });
    const { body, problems } = bodyFromJson(kind, one.spec);
    expect(bodyToJson(kind, body as Buffer)).toEqual({ spec: one.spec, problems: [] });
    expect(problems.map(({ path }) => pathText(path)).toSorted()).toEqual(one.said.toSorted());
    for (const { severity, message } of problems) {
      expect([severity, message]).toEqual(['warning', 'is a field that istiod 1.9 and newer passes over']);
    }
  });

  test('is in one of these, whichever it is', () => {
    const shown = new Set(cases.flatMap(({ name, spec }) => [...fieldsIn(typeOfBody(of(name)), spec)]));
    const today = fieldNames({ dropped: false });
    const dropped = [...fieldNames({ dropped: true })].filter((name) => !today.has(name));
    expect(dropped.filter((name) => !shown.has(name))).toEqual([]);
    expect(dropped.length).toBeGreaterThan(30);
  });
});
