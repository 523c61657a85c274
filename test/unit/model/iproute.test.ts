import { expect } from 'chai';
import fc from 'fast-check';
import { parsePrefix } from '../../../src/model/ip.ts';
import { command, describe as inWords, sysctlName } from '../../../src/model/iproute.ts';
import type { Change, KernelObject } from '../../../src/model/object.ts';
import { group, hop, nexthop, proxyNeighbour, route, rule, sysctl } from '../../contract/objects.ts';

const names = (index: number) => ({ 1: 'lo', 2: 'eth0', 3: 'eth1' })[index] ?? `if${index}`;

const words: readonly (readonly [KernelObject, string])[] = [
  [nexthop(250000001, '10.0.0.11', 2), 'ip nexthop add id 250000001 via 10.0.0.11 dev eth0 proto 86'],
  [
    nexthop(250000001, '2001:db8:10::11', 2),
    'ip -6 nexthop add id 250000001 via 2001:db8:10::11 dev eth0 proto 86',
  ],
  [
    group(260000000, [250000001, [250000002, 3]]),
    'ip nexthop add id 260000000 group 250000001/250000002,3 proto 86',
  ],
  [
    group(260000000, [250000001], { buckets: 128, idleTimer: 120, unbalancedTimer: 0 }),
    'ip nexthop add id 260000000 group 250000001 type resilient buckets 128 idle_timer 120 unbalanced_timer 0 proto 86',
  ],
  [route('198.51.100.10', { nhid: 260000000 }), 'ip route add 198.51.100.10 nhid 260000000 proto 86'],
  [
    route('2001:db8:e::10', { nhid: 260000000 }),
    'ip -6 route add 2001:db8:e::10 nhid 260000000 proto 86 metric 1024',
  ],
  [
    route('198.51.100.0/24', { type: 'unreachable', metric: 4278198272 }),
    'ip route add unreachable 198.51.100.0/24 proto 86 metric 4278198272',
  ],
  [
    route('0.0.0.0/0', { hops: [hop('203.0.113.254', 3)] }),
    'ip route add default via 203.0.113.254 dev eth1 proto 86',
  ],
  [
    route('198.51.100.0/24', { type: 'local', table: 100, hops: [hop(undefined, 1)] }),
    'ip route add local 198.51.100.0/24 dev lo table 100 proto 86',
  ],
  [
    route('192.0.2.1', { hops: [hop('10.0.0.11', 2), hop('203.0.113.9', 3, 3)] }),
    'ip route add 192.0.2.1 proto 86 nexthop via 10.0.0.11 dev eth0 weight 1 nexthop via 203.0.113.9 dev eth1 weight 3',
  ],
  [
    route('192.0.2.1', { hops: [hop('2001:db8:10::11', 2)] }),
    'ip route add 192.0.2.1 via inet6 2001:db8:10::11 dev eth0 proto 86',
  ],
  [
    rule(4, 1001, 101, { mark: { value: 0x100000, mask: 0xf00000 } }),
    'ip rule add pref 1001 fwmark 0x100000/0xf00000 lookup 101 protocol 86',
  ],
  [
    rule(6, 1100, 100, {
      from: parsePrefix('2001:db8::/32'),
      to: parsePrefix('2001:db8:e::/64'),
      iif: 'eth0',
    }),
    'ip -6 rule add pref 1100 from 2001:db8::/32 to 2001:db8:e::/64 iif eth0 lookup 100 protocol 86',
  ],
  [proxyNeighbour('198.51.100.10', 3), 'ip neigh add proxy 198.51.100.10 dev eth1 protocol 86'],
  [proxyNeighbour('2001:db8:e::10', 3), 'ip -6 neigh add proxy 2001:db8:e::10 dev eth1 protocol 86'],
  [sysctl('net/ipv4/ip_forward', '1'), 'sysctl -w net.ipv4.ip_forward="1"'],
];

describe('command', () => {
  for (const [want, line] of words) {
    it(`says ${line}`, () => {
      expect(command({ verb: 'add', want }, names)).to.equal(line);
    });
  }

  it('says replace and delete with the same words', () => {
    const want = route('198.51.100.10', { nhid: 260000000 });
    expect(command({ verb: 'replace', want, have: want }, names)).to.equal(
      'ip route replace 198.51.100.10 nhid 260000000 proto 86',
    );
    expect(command({ verb: 'delete', have: want }, names)).to.equal(
      'ip route delete 198.51.100.10 nhid 260000000 proto 86',
    );
  });

  it('names only the id when a nexthop or a group is deleted, since Linux refuses more', () => {
    const doomed = [nexthop(250000001, '2001:db8:10::11', 2), group(260000000, [250000001])];
    expect(doomed.map((have) => command({ verb: 'delete', have }, names))).to.deep.equal([
      'ip nexthop delete id 250000001',
      'ip nexthop delete id 260000000',
    ]);
  });

  it('gives a sysctl its former value back', () => {
    const change: Change = { verb: 'delete', have: sysctl('net/ipv4/conf/eth0.100/rp_filter', '0') };
    expect(command(change, names, '2')).to.equal('sysctl -w net.ipv4.conf.eth0/100.rp_filter="2"');
    expect(command(change, names)).to.equal('sysctl -w net.ipv4.conf.eth0/100.rp_filter="?"');
  });
});

describe('describe', () => {
  it('speaks of an object without a verb', () => {
    expect(inWords(route('0.0.0.0/0', { hops: [hop('203.0.113.254', 3)] }), names)).to.equal(
      'default via 203.0.113.254 dev eth1 proto 86',
    );
    expect(inWords(sysctl('net/ipv4/ip_forward', '1'), names)).to.equal('net.ipv4.ip_forward = 1');
  });
});

describe('sysctlName', () => {
  it('swaps dots and slashes', () => {
    expect(sysctlName('net/ipv4/conf/eth0.100/rp_filter')).to.equal('net.ipv4.conf.eth0/100.rp_filter');
  });

  it('is its own way back', () => {
    const path = fc.stringMatching(/^net\/ipv[46]\/conf\/[a-z0-9._-]{1,15}\/[a-z_]{1,20}$/);
    fc.assert(
      fc.property(path, (text) => {
        expect(sysctlName(sysctlName(text))).to.equal(text);
        expect(sysctlName(text).split('.').length).to.equal(text.split('/').length);
      }),
    );
  });
});
