import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import fc from 'fast-check';
import type { Json, JsonObject } from '../../../lab/cluster/api/json.ts';
import { type Message, type Type, written } from '../../../lab/cluster/api/messages.ts';
import { encode, encodeEvent } from '../../../lab/cluster/api/protobuf-writer.ts';
import { rawNode, rawService, rawSlice } from '../../../lab/cluster/manifests.ts';
import { decodeNode, decodeService } from '../../../src/cluster/decode.ts';
import { decodeSlice } from '../../../src/cluster/decode-slice.ts';
import { errorOf } from '../../../src/cluster/failure.ts';
import { jsonWire } from '../../../src/cluster/json-wire.ts';
import { protobufWire } from '../../../src/cluster/protobuf-wire.ts';
import { type Page, ProtocolError } from '../../../src/cluster/transport.ts';
import { uidOf, versionOf } from '../../../src/cluster/versions.ts';
import type { Wire } from '../../../src/cluster/wire.ts';
import type { Resource } from '../../../src/model/cluster.ts';

// The fixtures are written by Kubernetes' own encoders: test/hyperkube/protobuf.
const releases = ['1.33', '1.37'];
const resources = ['services', 'endpointslices', 'nodes'] as const;
const decoders = { services: decodeService, endpointslices: decodeSlice, nodes: decodeNode };
const kinds = { services: 'Service', endpointslices: 'EndpointSlice', nodes: 'Node' };

function fixture(release: string, name: string): Buffer {
  return readFileSync(new URL(`../../fixtures/protobuf/${release}/${name}`, import.meta.url));
}

/** All that becomes of an object. */
function read(raw: unknown, resource: Resource) {
  return { ...decoders[resource](raw), version: versionOf(raw), uid: uidOf(raw) };
}

function readPage({ items, ...meta }: Page, resource: Resource) {
  return { ...meta, items: [...items].map((item) => read(item, resource)) };
}

async function* chunksOf(bytes: Buffer, cuts: readonly number[]): AsyncGenerator<Buffer> {
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  for (const [index, start] of places.entries()) {
    const end = places[index + 1];
    if (end !== undefined) yield bytes.subarray(start, end);
  }
}

async function readEvents(wire: Wire, chunks: AsyncIterable<Buffer>, resource: Resource) {
  const events: unknown[] = [];
  for await (const batch of wire.events(chunks, resource)) {
    for (const event of batch) {
      const { type, object } = Object(event);
      events.push({ type, ...read(object, resource) });
    }
  }
  return events;
}

describe('the protobuf of Kubernetes', () => {
  for (const release of releases) {
    for (const resource of resources) {
      it(`gives what the JSON gives: ${resource} of ${release}`, () => {
        const page = readPage(protobufWire.page(fixture(release, `${resource}.pb`), resource), resource);
        const plain = readPage(jsonWire.page(fixture(release, `${resource}.jsonl`), resource), resource);
        expect(page).to.deep.equal(plain);
        expect(page.items).to.have.length(5);
        expect(page.items.filter(({ object }) => object !== undefined).length).to.be.at.least(3);
        expect(page).to.include({ resourceVersion: '9007199254740993', next: 'eyJ2IjoiLi4u' });
      });

      it(`gives the events that the JSON gives, however they are cut: ${resource} of ${release}`, async () => {
        const bytes = fixture(release, `${resource}-watch.pb`);
        const lines = fixture(release, `${resource}-watch.jsonl`);
        const plain = await readEvents(jsonWire, chunksOf(lines, []), resource);
        expect(plain).to.have.length(5);
        await fc.assert(
          fc.asyncProperty(fc.array(fc.nat(), { maxLength: 12 }), async (cuts) => {
            expect(await readEvents(protobufWire, chunksOf(bytes, cuts), resource)).to.deep.equal(plain);
          }),
        );
      });
    }

    it(`gives an empty list and an error: ${release}`, () => {
      const page = protobufWire.page(fixture(release, 'empty.pb'), 'services');
      expect(readPage(page, 'services')).to.deep.equal({ resourceVersion: '7', next: undefined, items: [] });
      const error = errorOf(protobufWire.status(fixture(release, 'status.pb')));
      expect(error).to.deep.include({
        status: 410,
        message: 'too old resource version: 1 (7)',
        retryAfter: 3000,
      });
      const plain = errorOf(jsonWire.status(fixture(release, 'status.jsonl')));
      expect([error.status, error.message, error.retryAfter]).to.deep.equal([
        plain.status,
        plain.message,
        plain.retryAfter,
      ]);
    });
  }

  for (const resource of resources) {
    it(`gives what the JSON gives for any object, and skips what a later release adds: ${resource}`, () => {
      const message = written[`${kinds[resource]}List`] ?? expect.fail('no list');
      const later = extended(message);
      fc.assert(
        fc.property(anyMessage(later), (list) => {
          const object = { ...list, kind: `${kinds[resource]}List`, apiVersion: 'v1' };
          const bytes = encode(object, later) ?? expect.fail('no protobuf');
          const json = Buffer.from(JSON.stringify(object));
          expect(readPage(protobufWire.page(bytes, resource), resource)).to.deep.equal(
            readPage(jsonWire.page(json, resource), resource),
          );
        }),
        { numRuns: 100 },
      );
    });
  }

  const pages = resources.map((resource) => [resource, fixture('1.37', `${resource}.pb`)] as const);

  it('says what is wrong with a list that was cut off, wherever', () => {
    for (const [resource, bytes] of pages) {
      const whole = readPage(protobufWire.page(bytes, resource), resource);
      let refused = 0;
      let tried = 0;
      // A prime: the cuts fall on all kinds of places.
      for (let length = bytes.length - 1; length >= 0; length -= length > bytes.length - 100 ? 1 : 13) {
        tried += 1;
        try {
          const page = readPage(protobufWire.page(bytes.subarray(0, length), resource), resource);
          // What stands behind the list is empty.
          expect(page).to.deep.equal(whole);
        } catch (error) {
          expect(error).to.be.instanceOf(ProtocolError);
          expect(String(error)).to.match(
            new RegExp(`the API server sent the list of ${resource} as protobuf that cannot be read: \\w`),
          );
          refused += 1;
        }
      }
      expect(refused).to.be.at.least(tried - 4);
    }
  });

  it('reads or refuses what was changed on its way, and nothing else', () => {
    const place = fc.record({ at: fc.nat(), byte: fc.integer({ min: 0, max: 255 }) });
    fc.assert(
      fc.property(
        fc.constantFrom(...pages),
        fc.array(place, { minLength: 1, maxLength: 6 }),
        (page, places) => {
          const [resource, bytes] = page;
          const changed = Buffer.from(bytes);
          for (const { at, byte } of places) changed[at % changed.length] = byte;
          try {
            readPage(protobufWire.page(changed, resource), resource);
          } catch (error) {
            expect(error).to.be.instanceOf(ProtocolError);
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it('reads or refuses any bytes in the envelope of a list', () => {
    const envelope = Buffer.from('k8s\0\n\u0011\n\u0002v1\u0012\u000bServiceList\u0012', 'latin1');
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), (garbage) => {
        const bytes = Buffer.concat([envelope, Buffer.from([garbage.length]), garbage]);
        try {
          readPage(protobufWire.page(bytes, 'services'), 'services');
        } catch (error) {
          expect(error).to.be.instanceOf(ProtocolError);
        }
      }),
      { numRuns: 500 },
    );
  });

  const refusals: readonly { name: string; bytes: Buffer; says: RegExp }[] = [
    {
      name: 'the page of a proxy',
      bytes: Buffer.from('<html>504 Gateway Time-out</html>'),
      says: /: it begins with "<html>504 Gateway Time-out<\/html>", not with "k8s" and a zero$/,
    },
    { name: 'nothing', bytes: Buffer.alloc(0), says: /: it begins with "", not with/ },
    {
      name: 'a Service instead of a list',
      bytes: encode(rawService('web')) ?? Buffer.alloc(0),
      says: /: it is a Service, and no list$/,
    },
    {
      name: 'a list without a version',
      bytes: encode({ kind: 'ServiceList', apiVersion: 'v1', metadata: {}, items: [] }) ?? Buffer.alloc(0),
      says: /: it has no resourceVersion$/,
    },
  ];
  for (const { name, bytes, says } of refusals) {
    it(`says that it got ${name}`, () => {
      expect(() => protobufWire.page(bytes, 'services')).to.throw(ProtocolError, says);
    });
  }

  it('says which object of a list cannot be read', () => {
    const list = { kind: 'NodeList', apiVersion: 'v1', metadata: { resourceVersion: '7' } };
    const bytes = encode({ ...list, items: [rawNode('n1'), rawNode('n2')] }) ?? expect.fail('no protobuf');
    // The name becomes a number.
    bytes[bytes.indexOf('\n\u0002n2')] = 8;
    const [first, ...others] = [protobufWire.page(bytes, 'nodes')];
    expect(others).to.deep.equal([]);
    expect(() => [...(first?.items ?? [])]).to.throw(
      ProtocolError,
      /the API server sent object 2 in the list of nodes as protobuf that cannot be read: .* at byte \d+$/,
    );
  });

  it('says what is wrong with a watch', async () => {
    const event = encodeEvent('ADDED', rawSlice('web', [])) ?? expect.fail('no protobuf');
    const all = async (bytes: Buffer): Promise<string> =>
      String(
        await readEvents(protobufWire, chunksOf(bytes, []), 'endpointslices').catch(
          (error: unknown) => error,
        ),
      );
    expect(await all(event.subarray(0, -1))).to.equal(
      'Error: the API server broke the watch off in the middle of an event',
    );
    expect(await all(Buffer.from('<html>'))).to.match(
      /^ProtocolError: the API server sent an event of endpointslices as protobuf that cannot be read: it would have 1013478509 bytes$/,
    );
    expect(await all(Buffer.from([0, 0, 0, 3, 10, 1, 65]))).to.contain('the event "A" has no object');
  });

  it('says what it can of an error that cannot be read', () => {
    expect(errorOf(protobufWire.status(Buffer.from('<html>')), 502)).to.include({ status: 502 });
  });
});

/** A message with fields that no release has, in it and in all that is in it. */
function extended(message: Message): Message {
  const fields = Object.entries(message).map(([number, [name, type]]) => [
    number,
    [name, typeof type === 'object' ? extended(type) : type],
  ]);
  const later: Message = {
    1000: ['laterText', 'text'],
    1001: ['laterNumber', 'number'],
    1002: ['laterMap', 'map'],
    1003: ['later*', { 1: ['of', 'time'] }],
  };
  return { ...Object.fromEntries(fields), ...later };
}

/** JSON of a message. Nothing is empty: Go leaves that out of its JSON, where it may. */
function anyMessage(message: Message): fc.Arbitrary<JsonObject> {
  const fields = Object.values(message).map(([name, type]) => {
    const isRepeated = name.endsWith('*');
    const value = anyValue(name.replace('*', ''), type);
    return [name.replace('*', ''), isRepeated ? fc.array(value, { maxLength: 3 }) : value];
  });
  // Go leaves the ports of a slice out of no JSON.
  const required = ['metadata', 'items', 'spec', 'resourceVersion', 'ports'].filter((name) =>
    Object.values(message).some(([each]) => each.replace('*', '') === name),
  );
  return fc.record(Object.fromEntries(fields), { requiredKeys: required });
}

/** Words that mean something, in the fields where they do. */
const words: Readonly<Record<string, readonly string[]>> = {
  type: [
    'LoadBalancer',
    'NodePort',
    'ExternalName',
    'InternalIP',
    'Ready',
    'NetworkUnavailable',
    'eiproute.io/Serving',
  ],
  status: ['True', 'False', 'Unknown'],
  externalTrafficPolicy: ['Local', 'Cluster'],
  protocol: ['TCP', 'UDP', 'SCTP', 'DCCP'],
  ip: ['198.51.100.1', '2001:DB8::1', 'none'],
  ipMode: ['VIP', 'Proxy'],
  address: ['10.0.0.1', '2001:DB8::2', 'none'],
  addresses: ['10.1.0.1', '2001:DB8::3', 'none'],
  externalIPs: ['198.51.100.2', '2001:DB8::4', 'none'],
  clusterIPs: ['10.96.0.1', 'None'],
  clusterIP: ['10.96.0.2', 'None'],
  ipFamilyPolicy: ['PreferDualStack', 'RequireDualStack', 'SingleStack'],
  addressType: ['IPv4', 'IPv6', 'FQDN'],
  finalizers: ['service.kubernetes.io/load-balancer-cleanup', 'other'],
  key: ['ToBeDeletedByClusterAutoscaler', 'other'],
};

const mapKeys = [
  'eiproute.io/pool',
  'eiproute.io/drain',
  'eiproute.io/agent',
  'metallb.io/loadBalancerIPs',
  'kubernetes.io/service-name',
  'node.kubernetes.io/exclude-from-external-load-balancers',
  'other',
  '__proto__',
];

function anyValue(name: string, type: Type): fc.Arbitrary<Json> {
  const text = fc.oneof(
    fc.constantFrom(...(words[name] ?? ['web', 'n1'])),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }),
  );
  switch (type) {
    case 'text':
      return text;
    case 'number':
      return fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }).filter((number) => number !== 0);
    case 'boolean':
      return fc.boolean();
    case 'time':
      return fc.integer({ min: -1e9, max: 1e10 }).map(isoOf);
    case 'json':
      return fc.constant({ 'f:spec': { 'f:type': {} } });
    case 'port':
      return fc.oneof(fc.integer({ min: 1, max: 65_535 }), text);
    case 'map':
    case 'quantities':
      return fc
        .array(fc.tuple(fc.constantFrom(...mapKeys), fc.oneof(fc.constant(''), text)), { maxLength: 4 })
        .map((entries) => Object.fromEntries(entries));
    default:
      return anyMessage(type);
  }
}

function isoOf(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
}
