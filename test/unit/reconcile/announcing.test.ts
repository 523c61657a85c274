import { expect } from 'chai';
import { parseIp } from '../../../src/model/ip.ts';
import { type Change, changeObject, isAnnouncement } from '../../../src/model/object.ts';
import { gateway, Scene, service, snapshot, threeNodes } from '../../scene.ts';
import { SegmentModel } from '../../segment-model.ts';

const cluster = snapshot(threeNodes, [
  service('web', ['198.51.100.10', '2001:db8:e::10']),
  service('shop', ['198.51.100.11']),
]);

const settings = gateway({ announce: { table: 86, active: [] } });

function announced({ world }: Scene): readonly string[] {
  return [...world.objects.values()].flatMap((one) =>
    one.kind === 'route' && isAnnouncement(one) ? [one.dst] : [],
  );
}

describe('the announce table', () => {
  it('is empty without a LAN, although the kernel refuses something else meanwhile', async () => {
    const scene = new Scene(cluster, settings);
    await scene.round('link');
    expect(announced(scene)).to.have.length(3);
    scene.world.linkDown('eth0');
    scene.world.setSysctl('net/ipv4/ip_forward', '0');
    for (let i = 0; i < 5; i += 1)
      scene.kernel.failNext((change) => change.verb !== 'delete' && change.want.kind === 'sysctl', 'EROFS');
    const { failed } = await scene.round('link');
    expect(failed).not.to.deep.equal([]);
    expect(announced(scene)).to.deep.equal([]);
  });

  it('is complete after the first round of a start', async () => {
    const scene = new Scene(cluster, settings);
    const report = await scene.round('link');
    expect(announced(scene)).to.have.length(3);
    expect(report.again).to.equal(undefined);
  });

  for (const mode of ['routed', 'nat'] as const)
    it(`keeps all that a route stands on while the kernel refuses to withdraw its announcement, ${mode}`, async () => {
      const scene = new Scene(cluster, { ...settings, mode });
      await scene.round('link');
      const before = new Set(scene.world.objects.keys());
      scene.cluster = snapshot(threeNodes, []);
      scene.reconciler.agree();
      for (let i = 0; i < 3; i += 1)
        scene.kernel.failNext((change) => change.verb === 'delete' && isAnnouncement(change.have), 'EPERM');
      await scene.round();
      expect(announced(scene)).to.have.length(3);
      expect(before.difference(new Set(scene.world.objects.keys()))).to.deep.equal(new Set());
    });

  it('keeps what the guard holds, and gives it up with the route', async () => {
    const scene = new Scene(cluster, settings);
    await scene.round('link');
    scene.cluster = snapshot(threeNodes, []);
    const { held } = await scene.round();
    expect(held.filter(({ reason }) => reason === 'too many at once')).not.to.deep.equal([]);
    expect(announced(scene)).to.have.length(3);
    expect((await scene.round('link')).done).to.deep.equal([]);
    scene.now += 600_001;
    await scene.round();
    expect(announced(scene)).to.deep.equal([]);
  });
});

const answering = gateway({
  pools: gateway().pools.map((pool) => (pool.name === 'public' ? { ...pool, announce: 'layer2' } : pool)),
  announce: { table: undefined, segment: 'eth1', active: [] },
});

/** The EIPs that the kernel answers ARP and NDP for, each with the interface. */
function answered({ world }: Scene): readonly string[] {
  return [...world.objects.values()].flatMap((one) =>
    one.kind === 'neighbour' ? [`${one.ip} on ${one.link}`] : [],
  );
}

/** The tables that keep the kernel from answering. */
function filtered({ world }: Scene): readonly string[] {
  return [...world.objects.values()].flatMap((one) =>
    one.kind === 'nft' && one.name.includes('standby') ? [`${one.family} ${one.name}`] : [],
  );
}

const both = ['arp eiproute-standby4-86', 'ip6 eiproute-standby6-86'];

describe('layer 2', () => {
  const all = ['198.51.100.10 on 3', '2001:db8:e::10 on 3', '198.51.100.11 on 3'];

  it('answers for each EIP on the uplink without delay, after its route stands', async () => {
    const scene = new Scene(cluster, answering);
    const report = await scene.round('link');
    expect(answered(scene)).to.have.members(all);
    expect(announced(scene)).to.deep.equal([]);
    expect(report.again).to.equal(undefined);
    const kinds = report.done.flatMap((change) => (change.verb === 'add' ? [change.want.kind] : []));
    expect(kinds.indexOf('neighbour')).to.be.greaterThan(kinds.lastIndexOf('route'));
    const setting = (name: string) => scene.world.sysctls.get(name);
    expect(setting('net/ipv4/neigh/eth1/proxy_delay')).to.equal('0');
    expect(setting('net/ipv6/neigh/eth1/proxy_delay')).to.equal('0');
    expect(setting('net/ipv6/conf/eth1/proxy_ndp')).to.equal('1');
    expect(setting('net/ipv4/conf/eth1/proxy_arp')).to.equal('0');
  });

  it('ends before the route of an EIP goes', async () => {
    const scene = new Scene(cluster, answering);
    await scene.round('link');
    scene.cluster = snapshot(threeNodes, cluster.services.slice(0, 1));
    const { done } = await scene.round();
    const gone = done.map(({ key }) => key.split(' ')[0]);
    expect(gone.indexOf('neighbour')).to.be.lessThan(gone.indexOf('route'));
    expect(answered(scene)).to.have.members(all.slice(0, 2));
  });

  it('answers for nothing while it drains, without a LAN, and on a dead uplink', async () => {
    const scene = new Scene(cluster, answering);
    await scene.round('link');
    scene.isDraining = true;
    await scene.round();
    expect(answered(scene)).to.have.members(all);
    expect(filtered(scene)).to.have.members(both);
    scene.isDraining = false;
    await scene.round();
    expect(answered(scene)).to.have.members(all);
    expect(filtered(scene)).to.deep.equal([]);
    scene.world.linkDown('eth0');
    await scene.round('link');
    expect(answered(scene)).to.deep.equal([]);
    expect(filtered(scene)).to.have.members(both);
    scene.world.linkUp('eth0');
    scene.world.addAddress('eth0', '2001:db8:10::1/64');
    await scene.round('link');
    expect(answered(scene)).to.have.members(all);
    scene.world.linkDown('eth1');
    await scene.round('link');
    expect(answered(scene)).to.deep.equal([]);
    scene.world.linkUp('eth1');
    await scene.round('link');
    expect(answered(scene)).to.have.members(all);
  });

  it('follows its interface, made anew between two rounds', async () => {
    const scene = new Scene(cluster, answering);
    await scene.round('link');
    scene.world.removeLink('eth1');
    scene.world.addLink('eth1', '203.0.113.1/24', '2001:db8:113::1/64');
    const { index } = scene.world.link('eth1');
    expect(index).not.to.equal(3);
    await scene.round('link');
    expect(answered(scene)).to.have.members(all.map((one) => one.replace(/3$/, String(index))));
  });

  it('does not begin for an EIP that somebody else has, and begins once nobody has it', async () => {
    const scene = new Scene(cluster, answering);
    const claims = new SegmentModel();
    scene.uniqueness = claims;
    claims.claim(parseIp('198.51.100.11'), true);
    await scene.round('link');
    expect(answered(scene)).to.have.members(all.slice(0, 2));
    claims.claim(parseIp('198.51.100.11'), false);
    await scene.round();
    expect(answered(scene)).to.have.members(all);
  });

  it('names the EIPs to ask about on a standby gateway as well, with their first round', async () => {
    const standby = {
      ...answering,
      announce: { table: undefined, segment: 'eth1', active: [parseIp('203.0.113.100')] },
    };
    const scene = new Scene(cluster, standby);
    await scene.round('link');
    expect(answered(scene)).to.have.members(all);
    expect(filtered(scene)).to.have.members(both);
    const table = scene.role.gatewayDesire?.announcing;
    expect(table?.answered).to.have.lengthOf(3);
    expect(table?.takeTurned()).to.have.lengthOf(3);
    scene.cluster = snapshot(threeNodes, cluster.services.slice(0, 1));
    await scene.round();
    expect([...(table?.takeTurned() ?? [])]).to.deep.equal(['198.51.100.11']);
    expect(table?.answered).to.have.lengthOf(2);
  });

  const standby = {
    ...answering,
    announce: { table: undefined, segment: 'eth1', active: [parseIp('203.0.113.100')] },
  };

  it('stands behind a filter on a standby gateway, and a takeover is the delete of the filter', async () => {
    const scene = new Scene(cluster, standby);
    const { done } = await scene.round('link');
    const kinds = done.map((change) => changeObject(change).kind);
    expect(kinds.lastIndexOf('nft')).to.be.lessThan(kinds.indexOf('neighbour'));
    scene.world.addAddress('eth1', '203.0.113.100/32');
    const taken = (await scene.round('link')).done;
    expect(taken.map(({ key }) => key)).to.have.members(both.map((name) => `nft ${name}`));
    expect(filtered(scene)).to.deep.equal([]);
    expect(answered(scene)).to.have.members(all);
    scene.world.removeAddress('eth1', parseIp('203.0.113.100'));
    const given = (await scene.round('link')).done;
    expect(given.map(({ key }) => key)).to.have.members(both.map((name) => `nft ${name}`));
    expect(answered(scene)).to.have.members(all);
  });

  it('is taken over by a look at the addresses alone, and the dump afterwards finds nothing', async () => {
    const scene = new Scene(cluster, standby);
    await scene.round('link');
    const filters = both.map((name) => `nft ${name}`);
    for (const turn of [
      () => scene.world.addAddress('eth1', '203.0.113.100/32'),
      () => scene.world.removeAddress('eth1', parseIp('203.0.113.100')),
    ]) {
      turn();
      const { done, dumped } = await scene.round('address');
      expect(dumped).to.equal(false);
      expect(done.map(({ key }) => key)).to.have.members(filters);
      expect((await scene.round('link')).done).to.deep.equal([]);
    }
  });

  it('takes over while the lists are not complete', async () => {
    const scene = new Scene(cluster, standby);
    await scene.round('link');
    scene.cluster = { ...cluster, complete: false };
    scene.world.addAddress('eth1', '203.0.113.100/32');
    await scene.round('link');
    expect(filtered(scene)).to.deep.equal([]);
  });

  it('does not begin where the kernel cannot be filtered, and comes by the takeover', async () => {
    const refuses = {
      before: (change: Change) => (changeObject(change).kind === 'nft' ? 'ENOSYS' : undefined),
    };
    const scene = new Scene(cluster, gateway(), undefined, undefined, refuses);
    await scene.round('link');
    // The routes stand by now.
    scene.settings = standby;
    await scene.round('link');
    expect(scene.kernel.journal.map(({ change }) => changeObject(change).kind)).not.to.include('neighbour');
    expect(answered(scene)).to.deep.equal([]);
    scene.world.addAddress('eth1', '203.0.113.100/32');
    await scene.round('link');
    expect(answered(scene)).to.have.members(all);
    scene.world.removeAddress('eth1', parseIp('203.0.113.100'));
    await scene.round('link');
    expect(answered(scene)).to.deep.equal([]);
  });

  it('goes from a standby gateway where another host claims the EIP, and stays on the active one', async () => {
    const scene = new Scene(cluster, standby);
    const claims = new SegmentModel();
    scene.uniqueness = claims;
    await scene.round('link');
    claims.claim(parseIp('198.51.100.11'), true);
    await scene.round();
    expect(answered(scene)).to.have.members(all.slice(0, 2));
  });

  it('tells that nobody answers NDP where IPv6 is off', async () => {
    const scene = new Scene(cluster, answering);
    const codes = async () => (await scene.round('link')).problems.map(({ code }) => code);
    expect(await codes()).to.deep.equal([]);
    scene.world.setSysctl('net/ipv6/conf/eth1/disable_ipv6', '1');
    expect(await codes()).to.deep.equal(['segment-without-ipv6']);
    scene.world.setSysctl('net/ipv6/conf/eth1/disable_ipv6', '0');
    expect(await codes()).to.deep.equal([]);
  });

  it('goes on for an EIP that somebody claims afterwards', async () => {
    const scene = new Scene(cluster, answering);
    const claims = new SegmentModel();
    scene.uniqueness = claims;
    await scene.round('link');
    claims.claim(parseIp('198.51.100.11'), true);
    await scene.round();
    await scene.round('link');
    expect(answered(scene)).to.have.members(all);
    expect(scene.role.gatewayDesire?.announcing?.answered).to.have.lengthOf(3);
  });

  it('leaves the proxy neighbours of others alone', async () => {
    const scene = new Scene(cluster, answering);
    scene.world.add({ kind: 'neighbour', ip: parseIp('203.0.113.50'), link: 3, protocol: 4 });
    await scene.round('link');
    scene.cluster = snapshot(threeNodes, []);
    scene.reconciler.agree();
    await scene.round();
    expect(answered(scene)).to.deep.equal(['203.0.113.50 on 3']);
  });
});
