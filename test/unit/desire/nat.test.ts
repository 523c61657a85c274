import { expect } from 'chai';
import fc from 'fast-check';
import { fillBuckets } from '../../../src/desire/buckets.ts';
import { natFrame } from '../../../src/desire/nat-frame.ts';
import type { Service } from '../../../src/model/cluster.ts';
import { defaultNat, type Gateway, type Nat } from '../../../src/model/gateway.ts';
import { type Ip, parseIp, parsePrefix } from '../../../src/model/ip.ts';
import { type KernelObject, keyOf } from '../../../src/model/object.ts';
import { gateway, node, Scene, service, snapshot, threeNodes } from '../../scene.ts';

const eip = '198.51.100.10';

function counts(buckets: readonly Ip[]): Readonly<Record<string, number>> {
  const counted: Record<string, number> = {};
  for (const ip of buckets) counted[ip] = (counted[ip] ?? 0) + 1;
  return counted;
}

const weighed = (ips: readonly string[], weight = 1) => ips.map((ip) => ({ ip: parseIp(ip), weight }));

describe('buckets', () => {
  it('are shared out by weight, to the last one', () => {
    const even = fillBuckets(weighed(['10.0.0.11', '10.0.0.12', '10.0.0.13']), 256, 7);
    expect(counts(even)).to.deep.equal({ '10.0.0.11': 86, '10.0.0.12': 85, '10.0.0.13': 85 });
    const heavy = [...weighed(['10.0.0.11'], 3), ...weighed(['10.0.0.12'])];
    expect(counts(fillBuckets(heavy, 256, 7))).to.deep.equal({ '10.0.0.11': 192, '10.0.0.12': 64 });
  });

  it('do not depend on the order in which the nodes came', () => {
    const anyNodes = fc.uniqueArray(
      fc.record({ last: fc.integer({ min: 1, max: 40 }), weight: fc.integer({ min: 1, max: 9 }) }),
      {
        selector: ({ last }) => last,
        minLength: 1,
      },
    );
    fc.assert(
      fc.property(anyNodes, fc.nat(), (nodes, seed) => {
        const some = nodes.map(({ last, weight }) => ({ ip: parseIp(`2001:db8:10::${last}`), weight }));
        const buckets = fillBuckets(some, 256, seed);
        expect(buckets).to.have.length(256);
        expect(fillBuckets([...some].reverse(), 256, seed)).to.deep.equal(buckets);
      }),
    );
  });

  it('stay where they are when another node goes, but for a few', () => {
    const ten = Array.from({ length: 10 }, (_, i) => `10.0.0.${11 + i}`);
    for (const gone of ten) {
      const before = fillBuckets(weighed(ten), 256, 7);
      const after = fillBuckets(weighed(ten.filter((ip) => ip !== gone)), 256, 7);
      const moved = before.filter((ip, i) => ip !== gone && ip !== after[i]);
      // 230 stay with a node; a division of the hash among the nodes in their order would move half of them.
      expect(moved.length).to.be.lessThan(40);
    }
  });

  it('are filled from any number of nodes: of 10,000, one bucket each for 256 of them', () => {
    const all = Array.from({ length: 10_000 }, (_, i) => `10.0.${i >> 8}.${i & 255}`);
    const buckets = fillBuckets(weighed(all), 256, 7);
    expect(buckets).to.have.length(256);
    expect(new Set(buckets).size).to.equal(256);
    // Those with more weight come first.
    const heavy = [...weighed(all.slice(0, 9_999)), ...weighed(all.slice(9_999), 100)];
    expect(fillBuckets(heavy, 256, 7)).to.include(all[9_999]);
  });

  it('are others for another seed', () => {
    const nodes = weighed(['10.0.0.11', '10.0.0.12']);
    expect(fillBuckets(nodes, 256, 7)).to.not.deep.equal(fillBuckets(nodes, 256, 8));
  });
});

describe('the frame of NAT', () => {
  const frame = (rest: Partial<Nat>, settings: Partial<Gateway> = {}): string =>
    natFrame(gateway({ mode: 'nat', nat: { ...defaultNat, ...rest }, ...settings }))?.content ?? '';
  const sources = (content: string): readonly string[] =>
    /chain source \{\n([^}]*(?:\{[^}]*\}[^}]*)*)\n {2}\}/
      .exec(content)?.[1]
      ?.split('\n')
      .map((line) => line.trim()) ?? [];

  it('is there where a pool has NAT, and nowhere else', () => {
    expect(natFrame(gateway())).to.equal(undefined);
    const [first, ...rest] = gateway().pools;
    if (first === undefined) throw new Error('no pool');
    expect(natFrame(gateway({ pools: [{ ...first, mode: 'nat' }, ...rest] }))?.name).to.equal(
      'eiproute-nat-86',
    );
    expect(natFrame(gateway({ mode: 'nat', pools: [{ ...first, mode: 'nat' }] }))).to.not.equal(undefined);
  });

  it('masquerades who is on the LAN, and this host, where clients keep their addresses', () => {
    expect(sources(frame({}))).to.deep.equal([
      'iifname "eth0" masquerade',
      'fib saddr type local masquerade',
    ]);
    expect(sources(frame({ inside: ['10.244.0.0/16', '2001:db8:244::/48'].map(parsePrefix) }))).to.deep.equal(
      [
        'iifname "eth0" masquerade',
        'ip saddr { 10.244.0.0/16 } masquerade',
        'ip6 saddr { 2001:db8:244::/48 } masquerade',
        'fib saddr type local masquerade',
      ],
    );
    // With one interface for both sides, clients come in by the LAN as well.
    expect(sources(frame({}, { uplink: 'eth0' }))).to.deep.equal(['fib saddr type local masquerade']);
  });

  it('masquerades all, or gives all an address of the LAN', () => {
    expect(sources(frame({ source: 'masquerade' }))).to.deep.equal(['masquerade']);
    expect(sources(frame({ source: [parseIp('10.0.0.100')] }))).to.deep.equal([
      'snat ip to 10.0.0.100',
      'masquerade',
    ]);
  });
});

describe('a gateway with NAT', () => {
  const settings = gateway({ mode: 'nat' });
  const ofKind = <K extends KernelObject['kind']>(
    { world }: Scene,
    kind: K,
  ): readonly Extract<KernelObject, { kind: K }>[] =>
    [...world.objects.values()].filter((one): one is Extract<KernelObject, { kind: K }> => one.kind === kind);
  const routed = ({ world }: Scene): boolean => world.objects.has(`route 254 ${eip}/32 0`);

  it('changes one group, and no EIP, when a node comes', async () => {
    const many = Array.from({ length: 5 }, (_, i) => service(`s${i}`, [`198.51.100.${10 + i}`]));
    const scene = new Scene(snapshot(threeNodes.slice(0, 2), many), settings);
    await scene.round('link');
    expect(ofKind(scene, 'nat-eip')).to.have.length(5);
    scene.cluster = snapshot(threeNodes, many);
    const { done } = await scene.round('cluster');
    expect(done.map(({ key, verb }) => `${verb} ${key.split(' ')[0]}`)).to.deep.equal([
      'add nexthop',
      'replace nexthop',
      'replace nat-group',
    ]);
    const [group] = ofKind(scene, 'nat-group');
    expect(counts(group?.buckets ?? [])).to.have.all.keys('10.0.0.11', '10.0.0.12', '10.0.0.13');
  });

  it('changes one EIP when a Service has another port', async () => {
    const ports = (nodePort: number): Service['ports'] => [
      { name: 'http', protocol: 'TCP', port: 80, nodePort },
    ];
    const scene = new Scene(
      snapshot(threeNodes, [service('a', [eip]), service('b', ['198.51.100.11'])]),
      settings,
    );
    await scene.round('link');
    scene.cluster = snapshot(threeNodes, [
      service('a', [eip], { ports: ports(31234) }),
      service('b', ['198.51.100.11']),
    ]);
    const { done } = await scene.round('cluster');
    expect(done.map(({ key, verb }) => `${verb} ${key}`)).to.deep.equal([`replace nat-eip ${eip}`]);
    const [changed] = ofKind(scene, 'nat-eip').filter((one) => one.eip === eip);
    expect(changed?.ports).to.deep.include({
      protocol: 'tcp',
      port: 80,
      nodePort: 31234,
      group: changed?.ports[0]?.group,
      affinity: 'address',
      ranges: undefined,
    });
  });

  it('keeps a client on its node, and others out, where the Service asks for it', async () => {
    const ask = (rest: Partial<Service>) =>
      snapshot(threeNodes, [service('a', [eip, '2001:db8:e::10'], rest)]);
    const scene = new Scene(ask({}), { ...settings, nat: { ...defaultNat, affinity: 'connection' } });
    const port = (of: string) => {
      const found = ofKind(scene, 'nat-eip').find((one) => one.eip === of)?.ports[0];
      return [found?.affinity, found?.ranges];
    };
    await scene.round('link');
    expect(port(eip)).to.deep.equal(['connection', undefined]);
    const ranges = ['10.0.0.0/8', '10.1.0.0/16', '192.0.2.7/32'].map(parsePrefix);
    scene.cluster = ask({ sessionAffinity: 'ClientIP', sourceRanges: ranges });
    await scene.round('cluster');
    // A network in another is no element of its own, and those of IPv4 say nothing of IPv6.
    expect(port(eip)).to.deep.equal(['address', ['10.0.0.0/8', '192.0.2.7/32']]);
    expect(port('2001:db8:e::10')).to.deep.equal(['address', undefined]);
    scene.cluster = ask({ sourceRanges: [] });
    await scene.round('cluster');
    expect([port(eip), port('2001:db8:e::10')]).to.deep.equal([
      ['connection', []],
      ['connection', []],
    ]);
    scene.cluster = ask({ sourceRanges: [parsePrefix('0.0.0.0/0'), ...ranges] });
    await scene.round('cluster');
    expect(port(eip)).to.deep.equal(['connection', undefined]);
    const many = Array.from({ length: 2001 }, (_, i) => parsePrefix(`10.${i >> 8}.${i & 255}.0/24`));
    scene.cluster = ask({ sourceRanges: many });
    const { problems } = await scene.round('cluster');
    expect(port(eip)).to.deep.equal(['connection', []]);
    expect(problems.map(({ code }) => code)).to.deep.equal(['nat-too-many-ranges']);
  });

  it('does not route an EIP whose Service has no NodePort, and says so', async () => {
    const none = [{ name: 'http', protocol: 'TCP' as const, port: 80, nodePort: undefined }];
    const scene = new Scene(snapshot(threeNodes, [service('web', [eip], { ports: none })]), settings);
    const { problems } = await scene.round('link');
    expect(routed(scene)).to.equal(false);
    expect(problems.map(({ code, message }) => [code, message])).to.deep.equal([
      [
        'nat-no-node-port',
        `Service default/web has no NodePort for TCP 80, which NAT needs; ${eip} is not routed to it`,
      ],
    ]);
    // The same Service is fine in a pool that is routed.
    scene.settings = gateway();
    expect((await scene.round('cluster')).problems).to.deep.equal([]);
    expect(routed(scene)).to.equal(true);
  });

  it('keeps the nodes in its groups that the guard keeps', async () => {
    const ten = Array.from({ length: 10 }, (_, i) => node(`n${i}`, [`10.0.0.${11 + i}`]));
    const scene = new Scene(snapshot(ten, [service('a', [eip])]), settings);
    await scene.round('link');
    scene.cluster = snapshot(ten.slice(0, 1), [service('a', [eip])]);
    const { held } = await scene.round('cluster');
    expect(held.map(({ key }) => key.split(' ')[0])).to.include('nat-group');
    const [group] = ofKind(scene, 'nat-group');
    expect(Object.keys(counts(group?.buckets ?? []))).to.have.length(10);
  });

  it('has no route where the table of NAT cannot be made', async () => {
    const scene = new Scene(snapshot(threeNodes, [service('a', [eip])]), settings);
    scene.kernel.failNext(
      (change) => change.verb === 'add' && keyOf(change.want) === 'nft inet eiproute-nat-86',
      'ENOSYS',
      'cannot run nft',
    );
    const { problems } = await scene.round('link');
    expect(routed(scene)).to.equal(false);
    expect(problems.map(({ code }) => code)).to.include('nat');
  });
});
