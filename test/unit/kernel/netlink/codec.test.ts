import { expect } from 'chai';
import fc from 'fast-check';
import { decodeAddress } from '../../../../src/kernel/netlink/address.ts';
import { encodeChange, type NetlinkObject } from '../../../../src/kernel/netlink/change.ts';
import { decodeDone, decodeError } from '../../../../src/kernel/netlink/error.ts';
import { decodeLink } from '../../../../src/kernel/netlink/link.ts';
import {
  MalformedError,
  MessageReader,
  MessageWriter,
  Type,
} from '../../../../src/kernel/netlink/message.ts';
import { decodeNexthop } from '../../../../src/kernel/netlink/nexthop.ts';
import { decodeProxyNeighbour } from '../../../../src/kernel/netlink/proxy-neighbour.ts';
import { decodeRoute } from '../../../../src/kernel/netlink/route.ts';
import { decodeRule } from '../../../../src/kernel/netlink/rule.ts';
import { RouteTemplate } from '../../../../src/kernel/netlink/template.ts';
import { errnoName } from '../../../../src/libc.ts';
import { parseIp, parsePrefix } from '../../../../src/model/ip.ts';
import type { Change, Route } from '../../../../src/model/object.ts';
import { groups, nexthops, proxyNeighbours, routes, rules } from './objects.ts';

function encoded(...changes: readonly Change[]): MessageReader {
  const writer = new MessageWriter(1 << 16);
  changes.forEach((change, i) => {
    encodeChange(writer, change, i);
  });
  const reader = new MessageReader(writer.bytes);
  reader.reset(writer.length);
  return reader;
}

function added(want: NetlinkObject): MessageReader {
  const reader = encoded({ verb: 'add', want });
  expect(reader.next()).to.equal(true);
  return reader;
}

describe('netlink codecs', () => {
  it('read back the nexthop they wrote', () => {
    fc.assert(
      fc.property(nexthops, (nexthop) => {
        expect(decodeNexthop(added(nexthop)).object).to.deep.equal(nexthop);
      }),
    );
  });

  it('read back the group they wrote', () => {
    fc.assert(
      fc.property(groups, (group) => {
        expect(decodeNexthop(added(group)).object).to.deep.equal(group);
      }),
    );
  });

  it('read back the route they wrote', () => {
    fc.assert(
      fc.property(routes, (route) => {
        expect(decodeRoute(added(route))).to.deep.equal(route);
      }),
      { numRuns: 500 },
    );
  });

  it('read back the rule they wrote', () => {
    fc.assert(
      fc.property(rules, (rule) => {
        expect(decodeRule(added(rule)).rule).to.deep.equal(rule);
      }),
    );
  });

  it('read back the proxy neighbour they wrote', () => {
    fc.assert(
      fc.property(proxyNeighbours, (neighbour) => {
        expect(decodeProxyNeighbour(added(neighbour))).to.deep.equal(neighbour);
      }),
    );
  });

  it('keep the members of a group in the order that the kernel was given, which decides where a flow goes', () => {
    const group = {
      kind: 'group',
      id: 9,
      protocol: 86,
      members: [
        { id: 3, weight: 1 },
        { id: 2, weight: 256 },
      ],
      resilience: undefined,
    } as const;
    const { object } = decodeNexthop(added(group));
    expect(object).to.have.deep.property('members', group.members);
  });
});

describe('the route template', () => {
  const written = (changes: readonly Change[]): { template: Buffer; general: Buffer } => {
    const template = new RouteTemplate();
    const one = new MessageWriter(1 << 18);
    const other = new MessageWriter(1 << 18);
    changes.forEach((change, i) => {
      const object = change.verb === 'delete' ? change.have : change.want;
      if (object.kind === 'route') template.write(one, change, object, i);
      encodeChange(other, change, i);
    });
    return {
      template: Buffer.from(one.bytes.subarray(0, one.length)),
      general: Buffer.from(other.bytes.subarray(0, other.length)),
    };
  };
  const change = (route: Route): fc.Arbitrary<Change> =>
    fc.constantFrom<Change[]>(
      { verb: 'add', want: route },
      { verb: 'replace', want: route, have: route },
      { verb: 'delete', have: route },
    );

  it('writes what the general encoder writes', () => {
    // Destinations of one form after the other, so that the copy is taken nearly every time.
    const like = routes.chain((route) =>
      fc.array(
        routes.chain(({ dst }) => change({ ...route, dst })),
        { minLength: 1, maxLength: 20 },
      ),
    );
    fc.assert(
      fc.property(like, (changes) => {
        const { template, general } = written(changes);
        expect(template.equals(general)).to.equal(true);
      }),
      { numRuns: 300 },
    );
  });

  it('writes what the general encoder writes, for hosts that differ in the address alone', () => {
    const model = { kind: 'route', table: 254, metric: 0, protocol: 86, type: 'unicast' } as const;
    const to = (dst: string): Change => ({
      verb: 'add',
      want: { ...model, dst: parsePrefix(dst), nhid: 7, hops: [], src: undefined },
    });
    const hosts = ['192.0.2.1', '198.51.100.255', '192.0.2.0/31', '203.0.113.0', '0.0.0.0/0', '192.0.2.9'];
    const hosts6 = [
      '2001:db8::',
      '2001:db8::1',
      '::1',
      '1::',
      '2001:db8:0:1::',
      '2001:db8:1:2:3:4:5:6',
      '::',
    ];
    const { template, general } = written([...hosts, ...hosts6, ...hosts].map(to));
    expect(template.equals(general)).to.equal(true);
  });

  it('is asked anew for every verb and every other field', () => {
    fc.assert(
      fc.property(fc.array(routes.chain(change), { maxLength: 12 }), (changes) => {
        const { template, general } = written(changes);
        expect(template.equals(general)).to.equal(true);
      }),
    );
  });
});

describe('netlink decoders', () => {
  const decoders = [
    decodeNexthop,
    decodeRoute,
    decodeRule,
    decodeProxyNeighbour,
    decodeLink,
    decodeAddress,
    decodeError,
    decodeDone,
  ];

  function survives(bytes: Uint8Array): void {
    for (const decode of decoders) {
      const reader = new MessageReader(bytes);
      reader.reset(bytes.length);
      try {
        for (let seen = 0; reader.next(); seen += 1) {
          expect(seen).to.be.lessThan(bytes.length);
          decode(reader);
        }
      } catch (error) {
        expect(error).to.be.instanceOf(MalformedError);
      }
    }
  }

  it('end on any bytes, with a value or a MalformedError', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), survives), { numRuns: 500 });
  });

  it('end on bytes that nearly make sense', () => {
    const anything = fc.oneof(nexthops, groups, routes, rules, proxyNeighbours);
    const damage = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(anything, damage, fc.nat(), (want, hits, cut) => {
        const writer = new MessageWriter(1 << 12);
        encodeChange(writer, { verb: 'add', want }, 1);
        const bytes = writer.bytes.slice(0, writer.length);
        // The first byte of the length stays: else nearly all would end there.
        for (const [at, value] of hits) bytes[4 + (at % (bytes.length - 4))] = value;
        survives(bytes);
        survives(bytes.subarray(0, cut % bytes.length));
      }),
      { numRuns: 500 },
    );
  });

  it('say what is wrong with the bytes', () => {
    const reader = new MessageReader(Uint8Array.of(200, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
    reader.reset(16);
    expect(() => reader.next()).to.throw(MalformedError, 'a message of 200 bytes at byte 0 of 16');
    expect(() => reader.reset(17)).to.throw(MalformedError, 'cut');
  });

  it('ignore attributes that they do not know', () => {
    const route: Route = {
      kind: 'route',
      table: 254,
      dst: parsePrefix('192.0.2.0/24'),
      metric: 5,
      protocol: 86,
      type: 'unicast',
      nhid: undefined,
      hops: [{ via: parseIp('198.51.100.1'), link: 2, weight: 1 }],
      src: undefined,
    };
    const writer = new MessageWriter(4096);
    encodeChange(writer, { verb: 'add', want: route }, 1);
    writer.attributeU32(777, 1);
    writer.end();
    const reader = new MessageReader(writer.bytes);
    reader.reset(writer.length);
    reader.next();
    expect(decodeRoute(reader)).to.deep.equal(route);
  });
});

describe('netlink errors', () => {
  function answer(errno: number, flags: number, write: (writer: MessageWriter) => void): MessageReader {
    const writer = new MessageWriter(4096);
    writer.begin(Type.NLMSG_ERROR, flags, 7);
    writer.u32(-errno >>> 0);
    write(writer);
    writer.end();
    const reader = new MessageReader(writer.bytes);
    reader.reset(writer.length);
    reader.next();
    return reader;
  }
  const original = (writer: MessageWriter, payload: number) => {
    writer
      .u32(16 + payload)
      .u16(Type.RTM_NEWROUTE)
      .u16(5)
      .u32(7)
      .u32(0);
  };

  it('keep the errno and the words of the kernel, behind a cut message', () => {
    const error = decodeError(
      answer(113, 0x300, (writer) => {
        original(writer, 40);
        writer.attributeText(1, 'Nexthop has invalid gateway');
      }),
    );
    expect(error).to.include({ code: 'EHOSTUNREACH', extack: 'Nexthop has invalid gateway' });
    expect(error?.message).to.equal('EHOSTUNREACH: Nexthop has invalid gateway');
  });

  it('find the words behind a whole message', () => {
    const error = decodeError(
      answer(17, 0x200, (writer) => {
        original(writer, 8);
        writer.u32(0).u32(0);
        writer.attributeText(1, 'File exists');
      }),
    );
    expect(error).to.include({ code: 'EEXIST', extack: 'File exists' });
  });

  it('are none in an acknowledgement', () => {
    expect(decodeError(answer(0, 0x100, (writer) => original(writer, 40)))).to.equal(undefined);
  });

  it('have names', () => {
    expect([1, 3, 11, 17, 95, 100, 105].map(errnoName)).to.deep.equal([
      'EPERM',
      'ESRCH',
      'EAGAIN',
      'EEXIST',
      'EOPNOTSUPP',
      'ENETDOWN',
      'ENOBUFS',
    ]);
    expect(errnoName(4711)).to.equal('errno 4711');
  });
});
