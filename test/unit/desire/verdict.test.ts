import { expect } from 'chai';
import fc from 'fast-check';
import { answering } from '../../../src/desire/answering.ts';
import type { Carrier } from '../../../src/desire/carriers.ts';
import { covering, coveringFor } from '../../../src/desire/covering.ts';
import { type NodeSignals, verdict } from '../../../src/desire/verdict.ts';
import type { Node } from '../../../src/model/cluster.ts';
import { type Ip, parseIp } from '../../../src/model/ip.ts';
import type { Standing } from '../../../src/model/probed.ts';
import { node } from '../../scene.ts';

interface Case extends Partial<Omit<NodeSignals, 'node'>> {
  readonly name: string;
  readonly of?: Partial<Node>;
  readonly want: string;
}

describe('the verdict on a node', () => {
  const gone = 'its kube-proxy answers no more';
  const no = 'its kube-proxy says that it should get no traffic (503)';
  const hangs =
    'it hangs: its kernel takes connections, and neither kube-proxy nor the kubelet says anything';
  const autoscaler = 'the cluster autoscaler is about to delete it';
  const cases: readonly Case[] = [
    { name: 'it carries when nobody says anything else', want: 'carries' },
    { name: 'it carries though Kubernetes calls it not ready', of: { notReady: true }, want: 'carries' },
    { name: 'it carries when its kube-proxy never answered', proxy: 'unknown', want: 'carries' },
    {
      name: 'it waits when it is new and does not answer for an EIP',
      waits: true,
      want: 'waiting it is new, or back, and does not answer for an EIP that others answer for',
    },
    { name: 'a drain counts more than that it waits', waits: true, proxy: 'refuses', want: `draining ${no}` },
    {
      name: 'silence counts more than that it waits',
      waits: true,
      silent: true,
      want: 'silent it does not answer ARP or NDP',
    },
    { name: 'a cordon is ignored', of: { unschedulable: true }, want: 'carries' },
    {
      name: 'a cordon drains',
      of: { unschedulable: true },
      cordon: 'drains',
      want: 'draining it is cordoned',
    },
    { name: 'the autoscaler drains', of: { autoscalerDeletes: true }, want: `draining ${autoscaler}` },
    {
      name: 'a person drains',
      of: { drain: 'root@gw1' },
      want: 'draining annotation eiproute.io/drain is set ("root@gw1")',
    },
    { name: 'somebody drains', of: { drain: '' }, want: 'draining annotation eiproute.io/drain is set' },
    { name: 'a kube-proxy that says no drains', proxy: 'refuses', want: `draining ${no}` },
    { name: 'a node that hangs drains', hung: true, want: `draining ${hangs}` },
    {
      name: 'that it hangs says more than that its kube-proxy is gone',
      hung: true,
      proxy: 'gone',
      want: `draining ${hangs}`,
    },
    {
      name: 'silence comes before that it hangs',
      hung: true,
      silent: true,
      want: 'silent it does not answer ARP or NDP',
    },
    {
      name: 'a node that hung for the limit is drained',
      hung: true,
      drainingFor: 1000,
      want: `drained ${hangs}`,
    },
    { name: 'a kube-proxy that died drains', proxy: 'gone', want: `draining ${gone}` },
    { name: 'it drains just below the limit', proxy: 'gone', drainingFor: 999, want: `draining ${gone}` },
    { name: 'it is drained at the limit', proxy: 'gone', drainingFor: 1000, want: `drained ${gone}` },
    { name: 'a limit of 0 lets it keep nothing', proxy: 'gone', limit: 0, want: `drained ${gone}` },
    { name: 'the time counts for nothing without a reason', drainingFor: 5000, want: 'carries' },
    {
      name: 'silence comes before a drain',
      of: { drain: 'true' },
      silent: true,
      want: 'silent it does not answer ARP or NDP',
    },
    {
      name: 'what Kubernetes leaves out comes first',
      of: { deleting: true },
      silent: true,
      want: 'left out it is being deleted',
    },
    {
      name: 'the label leaves it out',
      of: { excludeLabel: '', drain: 'true' },
      want: 'left out label node.kubernetes.io/exclude-from-external-load-balancers is set',
    },
    {
      name: 'a network that is not there leaves it out',
      of: { networkUnavailable: true },
      want: 'left out its condition NetworkUnavailable is True',
    },
    {
      name: 'the reason of a person is told before others',
      of: { drain: 'true', autoscalerDeletes: true },
      proxy: 'refuses',
      want: 'draining annotation eiproute.io/drain is set',
    },
  ];
  for (const { name, of = {}, want, ...signals } of cases) {
    it(name, () => {
      const { kind, why } = verdict({
        node: node('n1', ['10.0.0.11'], of),
        silent: false,
        waits: false,
        hung: false,
        proxy: 'serves',
        cordon: 'ignored',
        drainingFor: 0,
        limit: 1000,
        ...signals,
      });
      expect([kind, why].filter(Boolean).join(' ')).to.equal(want);
    });
  }
});

describe('the carriers of a group', () => {
  const ips = ['10.0.0.11', '10.0.0.12', '10.0.0.13'].map(parseIp);
  const letters: Readonly<Record<string, Standing>> = { s: 'silent', d: 'draining', D: 'drained' };
  const cases: readonly {
    /** One letter for each of three nodes. */
    readonly nodes: string;
    readonly weights?: readonly number[];
    readonly plain: string;
    readonly resilient?: string;
  }[] = [
    { nodes: '...', plain: '11*1 12*1 13*1' },
    { nodes: '.s.', plain: '11*1 13*1' },
    { nodes: '.D.', plain: '11*1 13*1' },
    { nodes: '.d.', plain: '11*1 13*1', resilient: '11*256 12*1 13*256' },
    { nodes: '.ds', plain: '11*1', resilient: '11*256 12*1' },
    { nodes: 'ddd', plain: '11*1 12*1 13*1' },
    { nodes: 'dDs', plain: '11*1 12*2', resilient: '11*1 12*1' },
    { nodes: 'sdD', plain: '12*2 13*1', resilient: '12*1 13*1' },
    { nodes: 'sss', plain: '11*1 12*1 13*1' },
    { nodes: 's..', plain: '12*2 13*1', resilient: '12*1 13*1' },
    { nodes: '..D', plain: '11*1 12*2', resilient: '11*1 12*1' },
    { nodes: 's.s', plain: '12*1' },
    { nodes: '.d.', weights: [1, 4, 1], plain: '11*1 13*1', resilient: '11*256 12*1 13*256' },
    { nodes: '.s.', weights: [3, 5, 7], plain: '11*11 13*19', resilient: '11*3 13*7' },
    { nodes: '..d', weights: [3, 5, 7], plain: '11*1 12*4', resilient: '11*153 12*255 13*1' },
    { nodes: '..d', weights: [256, 1, 9], plain: '11*128 12*5', resilient: '11*256 12*1 13*1' },
  ];
  for (const { nodes, weights = [1, 1, 1], plain, resilient = plain } of cases) {
    it(`of ${nodes} with weights ${weights} are ${plain}, in a resilient group ${resilient}`, () => {
      const carriers = ips.map((ip, i): Carrier => ({ node: `n${i}`, ip, weight: weights[i] ?? 0 }));
      const standings = new Map<Ip, Standing>();
      for (const [i, ip] of ips.entries()) {
        const standing = letters[nodes[i] ?? ''];
        if (standing !== undefined) standings.set(ip, standing);
      }
      const shown = (groups: 'plain' | 'resilient'): string =>
        [...answering(carriers, standings, groups)]
          .sort((a, b) => (a.ip < b.ip ? -1 : 1))
          .map(({ ip, weight }) => `${ip.slice(7)}*${weight}`)
          .join(' ');
      expect([shown('plain'), shown('resilient')]).to.deep.equal([plain, resilient]);
    });
  }
});

/** Where the kernel sends a hash of 31 bits: hash-threshold, net/ipv4/nexthop.c. */
function memberAt(hash: bigint, members: readonly Carrier[]): Ip | undefined {
  const total = members.reduce((sum, { weight }) => sum + BigInt(weight), 0n);
  let upTo = 0n;
  for (const { ip, weight } of members) {
    upTo += BigInt(weight);
    const bound = ((upTo << 31n) + total / 2n) / total - 1n;
    if (hash <= bound) return ip;
  }
  return undefined;
}

describe('a plain group', () => {
  const carriersOf = (weights: readonly number[]): readonly Carrier[] =>
    weights.map((weight, i) => ({ node: `n${i}`, ip: parseIp(`10.0.0.${i + 11}`), weight }));

  it('moves no flow of a node that stays, whoever else is left out', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ weight: fc.integer({ min: 1, max: 3 }), stays: fc.boolean() }), {
          minLength: 2,
          maxLength: 12,
        }),
        fc.array(fc.bigInt({ min: 0n, max: (1n << 31n) - 1n }), { minLength: 50, maxLength: 50 }),
        (nodes, hashes) => {
          const all = carriersOf(nodes.map(({ weight }) => weight));
          const staying = new Set(all.filter((_, i) => nodes[i]?.stays).map(({ ip }) => ip));
          fc.pre(staying.size > 0);
          const rest = covering(all, ({ ip }) => staying.has(ip));
          expect(new Set(rest.map(({ ip }) => ip))).to.deep.equal(staying);
          for (const hash of hashes) {
            const before = memberAt(hash, all);
            if (before !== undefined && staying.has(before)) expect(memberAt(hash, rest)).to.equal(before);
          }
        },
      ),
    );
  });

  it('moves no flow when carriers cover for former ones, and burdens none twice', () => {
    let covered = 0;
    fc.assert(
      fc.property(
        fc.array(fc.boolean(), { minLength: 2, maxLength: 8 }),
        fc.array(fc.bigInt({ min: 0n, max: (1n << 31n) - 1n }), { minLength: 50, maxLength: 50 }),
        (nodes, hashes) => {
          const all = carriersOf(nodes.map(() => 1));
          const now = all.filter((_, i) => nodes[i]);
          fc.pre(now.length > 0);
          const found = coveringFor(
            now,
            all.filter((_, i) => !nodes[i]),
          );
          expect(found.map(({ ip }) => ip)).to.deep.equal(now.map(({ ip }) => ip));
          const total = found.reduce((sum, { weight }) => sum + weight, 0);
          for (const { weight } of found) expect(weight * now.length).to.be.lessThan(2 * total + 1);
          // A part of its own that is not even, or the hash divided evenly as before.
          if (found === now) return;
          covered += 1;
          for (const hash of hashes) {
            const before = memberAt(hash, all);
            if (now.some(({ ip }) => ip === before)) expect(memberAt(hash, found)).to.equal(before);
          }
        },
      ),
    );
    expect(covered).to.be.greaterThan(10);
  });

  it('covers for a node at the edge and in the middle, and not for most of the nodes', () => {
    const [one, two, three, ...others] = carriersOf([1, 1, 1, 1, 1, 1]);
    if (one === undefined || two === undefined || three === undefined) throw new Error('six carriers');
    const weights = (now: readonly Carrier[], former: readonly Carrier[]) =>
      coveringFor(now, former).map(({ weight }) => weight);
    expect(weights([two, three], [one])).to.deep.equal([2, 1]);
    expect(weights([one, three], [two])).to.deep.equal([1, 1]);
    expect(weights([one, two], [three])).to.deep.equal([1, 2]);
    expect(weights([one], [two, three])).to.deep.equal([1]);
    // The first of them would have four of six parts.
    expect(weights(others, [one, two, three])).to.deep.equal([1, 1, 1]);
  });

  it('takes what a group takes at most', () => {
    for (const { weight } of covering(carriersOf([256, 256, 1, 256]), ({ node: name }) => name !== 'n1'))
      expect(weight).to.be.within(1, 256);
  });
});
