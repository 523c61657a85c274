import { expect } from 'chai';
import { type Hint, KernelError } from '../../../src/kernel/kernel.ts';
import { encodeChange } from '../../../src/kernel/netlink/change.ts';
import { MessageReader, MessageWriter, Type } from '../../../src/kernel/netlink/message.ts';
import { NotificationFilter } from '../../../src/kernel/notification-filter.ts';
import { ipBytes, parseIp, parsePrefix } from '../../../src/model/ip.ts';
import type { Listing } from '../../../src/model/listing.ts';
import { type Change, type KernelObject, keyOf, type Link, type Route } from '../../../src/model/object.ts';
import {
  foreign,
  group,
  groupId,
  nexthop,
  nexthopId,
  owner,
  route,
  rule,
  sysctl,
} from '../../contract/objects.ts';

const otherPort = 4712;
const scope = { owner, tables: [254, 100], sysctls: [], nftTables: [], neighbours: [] };

/** The notification that Linux sends of a change is the message that asked for it, and who sent it. */
function notification(change: Change): MessageReader {
  return message(otherPort, (writer) => encodeChange(writer, change, 0));
}

function message(port: number, write: (writer: MessageWriter) => void): MessageReader {
  const writer = new MessageWriter(4096);
  write(writer);
  writer.setU32(12, port);
  const reader = new MessageReader(writer.bytes);
  reader.reset(writer.length);
  reader.next();
  return reader;
}

function linkMessage(type: number, index: number, name: string, flags: number): MessageReader {
  return message(0, (writer) => {
    writer.begin(type, 0, 0);
    writer.u8(0).u8(0).u16(0).u32(index).u32(flags).u32(0);
    writer.attributeText(3, name);
    writer.end();
  });
}

function addressMessage(type: number, link: number, last: number): MessageReader {
  return message(0, (writer) => {
    writer.begin(type, 0, 0);
    writer.u8(2).u8(24).u8(0).u8(0).u32(link);
    writer.attributeBytes(2, Uint8Array.of(10, 0, 0, last));
    writer.end();
  });
}

const adding = (want: KernelObject): Change => ({ verb: 'add', want });
const replacing = (want: KernelObject): Change => ({ verb: 'replace', want, have: want });
const deleting = (have: KernelObject): Change => ({ verb: 'delete', have });

describe('the filter of notifications', () => {
  const ours = route('192.0.2.1', { nhid: groupId(1) });
  const theirs = { protocol: foreign };
  const up: Link = {
    index: 2,
    name: 'eth0',
    up: true,
    carrier: true,
    addresses: [{ ip: nexthop(1, '10.0.0.1', 2).via, length: 24 }],
  };

  function filter(...objects: readonly KernelObject[]): NotificationFilter {
    const made = new NotificationFilter();
    made.listed(scope, listing(...objects));
    return made;
  }

  function listing(...objects: readonly KernelObject[]): Listing {
    return {
      objects: new Map(objects.map((object) => [keyOf(object), object])),
      foreignIds: new Set(),
      lookedUp: new Set(),
      links: [up],
      neighbours: [],
      formerSysctls: new Map(),
    };
  }

  const cases: readonly { name: string; of: Change; text: string | undefined }[] = [
    {
      name: 'our route deleted',
      of: deleting(ours),
      text: 'route deleted: 192.0.2.1/32 protocol 86 by pid 4712',
    },
    { name: 'a route added in our name', of: adding(route('192.0.2.9')), text: 'route added' },
    {
      name: 'a foreign route that replaces ours',
      of: replacing({ ...ours, ...theirs }),
      text: 'route replaced',
    },
    { name: 'a foreign route elsewhere', of: adding(route('192.0.2.9', theirs)), text: undefined },
    {
      name: 'a foreign route that replaces a foreign one',
      of: replacing(route('192.0.2.9', theirs)),
      text: undefined,
    },
    {
      name: 'a foreign route with our destination and another metric',
      of: replacing(route('192.0.2.1', { ...theirs, metric: 7 })),
      text: undefined,
    },
    { name: 'a foreign route deleted', of: deleting(route('192.0.2.9', theirs)), text: undefined },
    {
      name: 'our protocol in a table that is not ours',
      of: deleting({ ...ours, table: 77 }),
      text: undefined,
    },
    { name: 'a nexthop of ours', of: deleting(nexthop(nexthopId(1), '10.0.0.9', 2)), text: 'nexthop' },
    {
      name: 'a foreign nexthop among our ids',
      of: replacing(nexthop(nexthopId(1), '10.0.0.9', 2, 99)),
      text: 'nexthop',
    },
    {
      name: 'a foreign group among our ids',
      of: adding(group(groupId(5), [1], undefined, 99)),
      text: 'nexthop',
    },
    { name: 'a foreign nexthop', of: adding(nexthop(7, '10.0.0.9', 2, foreign)), text: undefined },
    { name: 'a foreign group', of: deleting(group(7, [8], undefined, foreign)), text: undefined },
    { name: 'a rule in our name', of: adding(rule(4, 1000, 100)), text: 'rule added: pref 1000' },
    { name: 'a foreign rule', of: adding(rule(4, 1000, 100, theirs)), text: undefined },
  ];
  for (const { name, of, text } of cases) {
    it(`${text === undefined ? 'drops' : 'reports'} ${name}`, () => {
      const hint = filter(ours).hintOf(of.verb === 'delete' ? deletion(of) : notification(of));
      if (text === undefined) expect(hint).to.equal(undefined);
      else expect(hint).to.have.property('text').that.includes(text);
    });
  }

  // A deletion that we ask for says less than the notification of it, which is the whole object.
  function deletion({ have }: Extract<Change, { verb: 'delete' }>): MessageReader {
    const type = {
      route: Type.RTM_DELROUTE,
      nexthop: Type.RTM_DELNEXTHOP,
      group: Type.RTM_DELNEXTHOP,
      rule: Type.RTM_DELRULE,
    };
    if (have.kind === 'sysctl' || have.kind === 'neighbour') throw new TypeError('not announced');
    if (have.kind === 'nft' || have.kind === 'nat-group' || have.kind === 'nat-eip')
      throw new TypeError('not announced');
    return message(otherPort, (writer) => {
      encodeChange(writer, adding(have), 0);
      writer.setU32(4, type[have.kind]);
    });
  }

  describe('where the scope has guarded routes', () => {
    const networks = ['192.0.2.0/24', '2001:db8:e::/64'].map(parsePrefix);
    const network = (dst: string, table = 254): Route => ({
      ...route('192.0.2.9', { ...theirs, table }),
      dst: parsePrefix(dst),
    });
    const kinds: readonly { name: string; of: Change; kind: Hint['kind'] | undefined }[] = [
      { name: 'a foreign rule', of: adding(rule(4, 1000, 100, theirs)), kind: 'foreign' },
      { name: 'a rule of ours', of: adding(rule(4, 1000, 100)), kind: 'rule' },
      { name: 'a foreign route to a host', of: adding(route('192.0.2.9', theirs)), kind: 'foreign' },
      { name: 'its end', of: deleting(route('192.0.2.9', theirs)), kind: 'foreign' },
      {
        name: 'one with another metric than ours',
        of: replacing(route('2001:db8:e::10', { ...theirs, metric: 7 })),
        kind: 'foreign',
      },
      { name: 'one that replaces ours', of: replacing({ ...ours, ...theirs }), kind: 'route' },
      { name: 'one of ours', of: deleting(ours), kind: 'route' },
      {
        name: 'a foreign route to a host elsewhere',
        of: adding(route('198.51.100.9', theirs)),
        kind: undefined,
      },
      { name: 'one to a network, in the table', of: adding(network('192.0.2.0/28')), kind: undefined },
      { name: 'one in another table', of: adding(network('192.0.2.0/28', 77)), kind: 'foreign' },
      { name: 'one to more, there', of: adding(network('192.0.0.0/8', 77)), kind: 'foreign' },
      { name: 'a default route, there', of: adding(network('0.0.0.0/0', 77)), kind: 'foreign' },
      { name: 'one to another network, there', of: adding(network('198.51.0.0/16', 77)), kind: undefined },
    ];
    for (const { name, of, kind } of kinds)
      it(`${kind === undefined ? 'drops' : `reports as ${kind}`} ${name}`, () => {
        const guarding = new NotificationFilter();
        guarding.listed({ ...scope, guarded: { table: 254, networks } }, listing(ours));
        const hint = guarding.hintOf(of.verb === 'delete' ? deletion(of) : notification(of));
        if (kind === undefined) expect(hint).to.equal(undefined);
        else expect(hint).to.have.property('kind', kind);
      });
  });

  it('reports everything before it knows what is ours', () => {
    const fresh = new NotificationFilter();
    for (const change of [adding(route('192.0.2.9', theirs)), adding(rule(4, 1, 100, theirs))]) {
      expect(fresh.hintOf(notification(change))).to.have.property('text');
    }
  });

  it('passes over the routes that a nexthop takes along when we delete it, and over no others', () => {
    const at = filter(ours);
    const doomed = group(groupId(1), [nexthopId(1)]);
    const swept = (nhid: number) =>
      message(0, (writer) => {
        encodeChange(writer, adding(route('2001:db8::1', { nhid })), 0);
        writer.setU32(4, Type.RTM_DELROUTE);
      });
    expect(at.hintOf(swept(groupId(1))))
      .to.have.property('text')
      .that.includes('by the kernel');
    at.applying([deleting(doomed)]);
    expect(at.hintOf(swept(groupId(1)))).to.equal(undefined);
    expect(at.hintOf(swept(groupId(2)))).to.have.property('text');
    at.applied([deleting(doomed)], [undefined]);
    expect(at.hintOf(swept(groupId(1)))).to.equal(undefined);
    at.applying([adding(doomed)]);
    expect(at.hintOf(swept(groupId(1)))).to.have.property('text');
  });

  it('hears of the routes of a nexthop whose delete was refused', () => {
    const at = filter(ours);
    const hop = nexthop(nexthopId(11), '2001:db8:10::11', 2);
    at.applying([deleting(hop)]);
    at.applied([deleting(hop)], [new KernelError('EPERM', 'refused')]);
    const swept = message(0, (writer) => {
      encodeChange(writer, adding(route('2001:db8::1', { nhid: hop.id })), 0);
      writer.setU32(4, Type.RTM_DELROUTE);
    });
    expect(at.hintOf(swept)).to.have.property('text');
  });

  it('knows what was added since the last listing', () => {
    const at = filter();
    const taken = notification(replacing({ ...ours, ...theirs }));
    expect(at.hintOf(taken)).to.equal(undefined);
    at.applied([adding(ours)], [undefined]);
    expect(at.hintOf(notification(replacing({ ...ours, ...theirs })))).to.have.property('text');
  });

  it('reports when a route that conflicted with ours goes', () => {
    const at = filter();
    const inTheWay = { ...ours, ...theirs };
    expect(at.hintOf(deletion({ verb: 'delete', have: inTheWay }))).to.equal(undefined);
    at.applied([adding(ours)], [new KernelError('EEXIST', '')]);
    expect(at.hintOf(deletion({ verb: 'delete', have: inTheWay }))).to.have.property('text');
  });

  it('reports a link when its state changes, and not when the kernel repeats it', () => {
    const at = filter();
    const [isUp, isLower] = [0x1, 0x10000];
    expect(at.hintOf(linkMessage(Type.RTM_NEWLINK, 2, 'eth0', isUp | isLower))).to.equal(undefined);
    expect(at.hintOf(linkMessage(Type.RTM_NEWLINK, 2, 'eth0', isUp))).to.deep.equal({
      kind: 'link',
      text: 'interface eth0 is up, no carrier',
    });
    expect(at.hintOf(linkMessage(Type.RTM_NEWLINK, 2, 'eth0', isUp))).to.equal(undefined);
    expect(at.hintOf(linkMessage(Type.RTM_NEWLINK, 2, 'wan0', isUp))).to.have.property('kind', 'link');
    expect(at.hintOf(linkMessage(Type.RTM_NEWLINK, 3, 'eth1', 0))).to.have.property('kind', 'link');
    expect(at.hintOf(linkMessage(Type.RTM_DELLINK, 2, 'wan0', 0))).to.deep.equal({
      kind: 'link',
      text: 'interface wan0 is gone',
    });
  });

  it('reports an address when it comes and goes, and not when its lifetime is renewed', () => {
    const at = filter();
    expect(at.hintOf(addressMessage(Type.RTM_NEWADDR, 2, 1))).to.equal(undefined);
    expect(at.hintOf(addressMessage(Type.RTM_NEWADDR, 2, 7))).to.have.property('kind', 'address');
    expect(at.hintOf(addressMessage(Type.RTM_NEWADDR, 2, 7))).to.equal(undefined);
    expect(at.hintOf(addressMessage(Type.RTM_DELADDR, 2, 1))).to.have.property('kind', 'address');
    expect(at.hintOf(addressMessage(Type.RTM_NEWADDR, 2, 1))).to.have.property('kind', 'address');
  });

  it('reports an address of IPv6 again when it is tentative no more', () => {
    const at = filter();
    const told = (flags: number) =>
      at.hintOf(
        message(0, (writer) => {
          writer.begin(Type.RTM_NEWADDR, 0, 0);
          writer.u8(10).u8(64).u8(flags).u8(0).u32(2);
          writer.attributeBytes(1, ipBytes(parseIp('fe80::1')));
          writer.end();
        }),
      );
    const [tentative, permanent, dadFailed] = [0x40, 0x80, 0x08];
    expect(told(tentative | permanent)).to.have.property('kind', 'address');
    expect(told(tentative | permanent)).to.equal(undefined);
    expect(told(permanent)).to.have.property('kind', 'address');
    expect(told(permanent)).to.equal(undefined);
    expect(told(tentative | permanent)).to.have.property('kind', 'address');
    // It was not to be had: nothing else will come.
    expect(told(tentative | permanent | dadFailed)).to.have.property('kind', 'address');
  });

  describe('of settings', () => {
    const forward = sysctl('net/ipv4/ip_forward', '0');
    /** Reads of the setting that wait for their answer, in order. */
    const reads: ((value: string | undefined) => void)[] = [];
    beforeEach(() => {
      reads.length = 0;
    });

    function slow(read: (name: string) => Promise<string | undefined>): NotificationFilter {
      const made = new NotificationFilter(read);
      made.listed(scope, listing(forward));
      return made;
    }

    /** A filter that asks for values, which a test gives when it likes. */
    function asking(): NotificationFilter {
      return slow(() => new Promise((resolve) => reads.push(resolve)));
    }

    /** Lets everything run that waits for no value. */
    const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

    async function answer(...values: readonly string[]): Promise<void> {
      for (const value of values) {
        await settled();
        reads.shift()?.(value);
      }
      await settled();
      expect(reads, 'reads without an answer').to.deep.equal([]);
    }

    const texts = async (hints: Promise<readonly Hint[]>): Promise<readonly string[]> =>
      (await hints).map(({ text }) => text);

    it('report a value that another program wrote, once', async () => {
      const at = asking();
      const first = texts(at.changedSettings());
      await answer('1');
      expect(await first).to.deep.equal(['net/ipv4/ip_forward is 1, was 0']);
      const second = texts(at.changedSettings());
      await answer('1');
      expect(await second).to.deep.equal([]);
    });

    it('are silent while our own write is under way', async () => {
      const at = asking();
      const hints = texts(at.changedSettings());
      await settled();
      at.writing(forward.name);
      await answer('1');
      at.wrote(forward.name, '1');
      expect(await hints).to.deep.equal([]);
    });

    it('take no value for news that was read before our own write', async () => {
      const at = asking();
      const hints = texts(at.changedSettings());
      await settled();
      at.writing(forward.name);
      at.wrote(forward.name, '1');
      await answer('0', '1');
      expect(await hints).to.deep.equal([]);
      const later = texts(at.changedSettings());
      await answer('1');
      expect(await later, 'what we wrote is known').to.deep.equal([]);
    });

    it('miss no change that is read beside a listing from before it', async () => {
      const at = asking();
      const hints = texts(at.changedSettings());
      await settled();
      at.listed(scope, listing(forward));
      await answer('1', '1');
      expect(await hints).to.deep.equal(['net/ipv4/ip_forward is 1, was 0']);
    });

    it('are a reason to look again when they cannot be read, and not the end', async () => {
      const at = slow(async () => {
        throw new KernelError('EACCES', 'not allowed');
      });
      expect(await texts(at.changedSettings())).to.deep.equal([
        'net/ipv4/ip_forward cannot be compared: EACCES: not allowed',
      ]);
    });

    it('pass other failures on', async () => {
      const at = slow(async () => {
        throw new RangeError('a bug');
      });
      expect(await at.changedSettings().catch(String)).to.equal('RangeError: a bug');
    });
  });
});
