import { expect } from 'chai';
import fc from 'fast-check';
import { withoutForeignRoutes } from '../../src/kernel/netlink/foreign-routes.ts';
import { MessageReader, Type } from '../../src/kernel/netlink/message.ts';
import { decodeRoute } from '../../src/kernel/netlink/route.ts';
import { socketFilter } from '../../src/kernel/netlink/socket-filter.ts';
import { openTransport, type Transport } from '../../src/kernel/netlink/transport.ts';
import {
  ipFromBytes,
  networkOf,
  onlyIp,
  overlaps,
  type Prefix,
  prefixIp,
  prefixLength,
} from '../../src/model/ip.ts';
import { ipBatch } from './ip.ts';
import { LinuxFixture } from './linux-fixture.ts';
import { describeOnKernel } from './namespace.ts';

const protocol = 86;
/** Bytes; room for all notifications of one batch. */
const buffer = 4 << 20;

/** Many networks overlap, and some differ behind the bits that are compared. */
const four = fc
  .record({
    bytes: fc.tuple(
      fc.constantFrom(20, 198),
      fc.constantFrom(0, 51, 64),
      fc.constantFrom(0, 100, 255),
      fc.nat(255),
    ),
    length: fc.nat(32),
  })
  .map(({ bytes, length }) => networkOf(ipFromBytes(Uint8Array.from(bytes)), length));
const six = fc
  .record({
    second: fc.constantFrom(0xdb8, 0xdb9),
    third: fc.constantFrom(0, 0xe, 0xffff),
    last: fc.nat(255),
    length: fc.oneof(fc.nat(128), fc.constantFrom(1, 31, 32, 33, 48, 64, 127, 128)),
  })
  .map(({ second, third, last, length }) => {
    const bytes = new Uint8Array(16);
    bytes.set([0x20, 0x01, second >> 8, second & 255, third >> 8, third & 255]);
    bytes[15] = last;
    return networkOf(ipFromBytes(bytes), length);
  });
const prefix = fc.oneof(four, six);

/** The specification: what overlaps in the first 32 bits, and all routes to a host or to everything. */
function isHeard(dst: Prefix, networks: readonly Prefix[]): boolean {
  if (prefixLength(dst) === 0 || onlyIp(dst) !== undefined) return true;
  return networks.some((network) => overlaps(compared(network), compared(dst)));
}

function compared(network: Prefix): Prefix {
  return networkOf(prefixIp(network), Math.min(32, prefixLength(network)));
}

describeOnKernel('the filter of foreign routes', () => {
  let fixture: LinuxFixture;
  let transport: Transport;

  beforeEach(async () => {
    fixture = await LinuxFixture.make();
    transport = openTransport({ name: 'test', receiveBuffer: buffer, groups: [7, 11] });
  });
  afterEach(async () => {
    transport.close();
    await fixture[Symbol.asyncDispose]();
  });

  /** The destinations of the notifications that wait, with `-` where one was deleted; sorted. */
  function received(): readonly string[] {
    const reader = new MessageReader(new Uint8Array(1 << 16));
    const found: string[] = [];
    for (
      let length = transport.receive(reader.bytes);
      length >= 0;
      length = transport.receive(reader.bytes)
    ) {
      reader.reset(length);
      while (reader.next()) {
        const sign = reader.type === Type.RTM_DELROUTE ? '-' : '+';
        found.push(`${sign} ${decodeRoute(reader)?.dst}`);
      }
    }
    return found.sort();
  }

  it('lets pass what overlaps, of both families, in tables of any number', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(prefix, { maxLength: 4 }),
        fc.uniqueArray(prefix, { minLength: 20, maxLength: 60 }),
        fc.constantFrom(77, 1077),
        async (networks, routes, table) => {
          received();
          transport.filter(socketFilter(withoutForeignRoutes({ protocol, networks })));
          const line = (verb: string, dst: Prefix) =>
            `route ${verb} unreachable ${dst} table ${table} metric 7 proto 4`;
          await ipBatch(['add', 'delete'].flatMap((verb) => routes.map((dst) => line(verb, dst))));
          const heard = routes.filter((dst) => isHeard(dst, networks));
          expect(received()).to.deep.equal([...heard.flatMap((dst) => [`+ ${dst}`, `- ${dst}`])].sort());
        },
      ),
      { numRuns: 60 },
    );
  });

  it('lets all routes of our protocol pass, and all of many networks', async () => {
    const lines = ['route add unreachable 20.0.0.0/24 proto 86', 'route add unreachable 20.0.1.0/24 proto 4'];
    transport.filter(socketFilter(withoutForeignRoutes({ protocol, networks: [] })));
    await ipBatch(lines);
    expect(received()).to.deep.equal(['+ 20.0.0.0/24']);
    const many = hosts(2000);
    transport.filter(socketFilter(withoutForeignRoutes({ protocol, networks: many })));
    await ipBatch(['route delete unreachable 20.0.1.0/24']);
    expect(received()).to.deep.equal(['- 20.0.1.0/24']);
    // As many as every kernel has room for.
    transport.filter(socketFilter(withoutForeignRoutes({ protocol, networks: many.slice(0, 300) })));
    await ipBatch([lines[1] ?? '', 'route add unreachable 198.51.1.0/26']);
    expect(received()).to.deep.equal(['+ 198.51.1.0/26']);
    await ipBatch(['20.0.1.0/24', '198.51.1.0/26'].map((dst) => `route delete unreachable ${dst}`));
  });

  it('is replaced where the kernel has room for one of them', async () => {
    await fixture.oldRoomForFilters();
    const program = (count: number) =>
      socketFilter(withoutForeignRoutes({ protocol, networks: hosts(count) }));
    for (const count of [300, 299]) transport.filter(program(count));
    expect(() => transport.filter(program(600))).to.throw('ENOMEM');
    await ipBatch(['route add unreachable 20.0.0.0/24 proto 4']);
    expect(received()).to.deep.equal(['+ 20.0.0.0/24']);
    transport.filter(program(300));
    await ipBatch(['route delete unreachable 20.0.0.0/24']);
    expect(received()).to.deep.equal([]);
  });
});

function hosts(count: number): readonly Prefix[] {
  return Array.from({ length: count }, (_, i) =>
    networkOf(ipFromBytes(Uint8Array.of(198, 51, i >> 8, i & 255)), 32),
  );
}
