import { expect } from 'chai';
import { parseIp } from '../../../src/model/ip.ts';
import { changeObject, keyOf, type Route } from '../../../src/model/object.ts';
import { isDoubted, isInSync } from '../../../src/reconcile/report.ts';
import { endpoint, gateway, node, Scene, service, snapshot, threeNodes } from '../../scene.ts';

const web = service('web', ['198.51.100.10']);
const api = service('api', ['198.51.100.11']);
const local = service('local', ['198.51.100.12'], {
  externalTrafficPolicy: 'Local',
  endpoints: [endpoint('n1'), endpoint('n2')],
});

describe('a gateway, read as a shell session', () => {
  it('builds from the bottom up on a fresh router', async () => {
    const scene = new Scene(snapshot(threeNodes, [web, local]));
    const report = await scene.round();
    expect(scene.kernel.transcript().map((line) => line.split('\n', 2).join('\n'))).to.deep.equal([
      'sysctl -w net.ipv6.conf.eth1.accept_ra="2"',
      'sysctl -w net.ipv4.conf.eth0.forwarding="1"',
      'sysctl -w net.ipv4.conf.eth1.forwarding="1"',
      'sysctl -w net.ipv4.ip_forward="1"',
      'sysctl -w net.ipv4.conf.all.send_redirects="0"',
      'sysctl -w net.ipv4.conf.eth0.send_redirects="0"',
      'sysctl -w net.ipv4.nexthop_compat_mode="0"',
      'sysctl -w net.ipv4.neigh.eth0.base_reachable_time_ms="2000"',
      'sysctl -w net.ipv4.neigh.eth0.delay_first_probe_time="1"',
      'sysctl -w net.ipv4.neigh.eth0.retrans_time_ms="240"',
      'sysctl -w net.ipv6.conf.all.forwarding="1"',
      'sysctl -w net.ipv6.neigh.eth0.base_reachable_time_ms="2000"',
      'sysctl -w net.ipv6.neigh.eth0.delay_first_probe_time="1"',
      'sysctl -w net.ipv6.neigh.eth0.retrans_time_ms="240"',
      'ip nexthop add id 250000000 via 10.0.0.11 dev eth0 proto 86',
      'ip nexthop add id 250000001 via 10.0.0.12 dev eth0 proto 86',
      'ip nexthop add id 250000002 via 10.0.0.13 dev eth0 proto 86',
      "nft -f - <<'EOF'\ncreate table inet eiproute-flow-label-86 {",
      'ip route add unreachable 198.51.100.0/24 proto 86 metric 1000000',
      'ip -6 route add unreachable 2001:db8:e::/64 proto 86 metric 1000000',
      'ip route add unreachable 192.0.2.10 proto 86 metric 1000000',
      'ip nexthop add id 260000000 group 250000000/250000001/250000002 proto 86',
      'ip nexthop add id 260000001 group 250000000/250000001 proto 86',
      'ip route add 198.51.100.10 nhid 260000000 proto 86',
      'ip route add 198.51.100.12 nhid 260000001 proto 86',
    ]);
    expect(isInSync(report)).to.equal(true);
    expect(report.wanted).to.deep.equal(report.installed);
    expect(report.wanted.route).to.equal(5);
  });

  it('doubts lists that lack too much at once, and no others', async () => {
    const scene = new Scene(snapshot(threeNodes, [web, local], { complete: false }));
    expect(isDoubted(undefined)).to.equal(false);
    expect(isDoubted(await scene.round())).to.equal(false);
    scene.cluster = snapshot(threeNodes, [web, local]);
    expect(isDoubted(await scene.round())).to.equal(false);
    const many = Array.from({ length: 20 }, (_, i) => service(`s${i}`, [`198.51.100.${100 + i}`]));
    scene.cluster = snapshot(threeNodes, many);
    expect(isDoubted(await scene.round())).to.equal(false);
    scene.cluster = snapshot(threeNodes, []);
    expect(isDoubted(await scene.round())).to.equal(true);
  });

  it('does nothing in the second round, nor after a restart', async () => {
    const ledger = new Map<string, string>();
    const first = new Scene(snapshot(threeNodes, [web, local]), gateway(), undefined, ledger);
    await first.round();
    expect((await first.round()).done).to.deep.equal([]);
    expect((await first.round('route')).done).to.deep.equal([]);
    const second = new Scene(first.cluster, gateway(), first.world, ledger);
    expect((await second.round()).done).to.deep.equal([]);
  });

  it('moves every EIP of a set of nodes by one message when a node goes', async () => {
    const scene = new Scene(snapshot(threeNodes, [web, api]));
    await scene.round();
    scene.cluster = snapshot(threeNodes.slice(0, 2), [web, api]);
    await scene.round();
    expect(scene.commands()).to.deep.equal(['ip nexthop delete id 250000002']);
  });

  it('waits with the groups that lose a node until an EIP has left one of them, and its nexthop can go', async () => {
    const on = (name: string, last: number, ...names: readonly string[]) =>
      service(name, [`198.51.100.${last}`], {
        externalTrafficPolicy: 'Local' as const,
        endpoints: names.map((each) => endpoint(each)),
      });
    const rest = [on('stays', 11, 'n1', 'n3'), on('also', 12, 'n1', 'n3'), on('other', 13, 'n2', 'n3')];
    const scene = new Scene(snapshot(threeNodes, [on('moves', 10, 'n1', 'n3'), ...rest]));
    await scene.round();
    scene.cluster = snapshot(threeNodes.slice(0, 2), [on('moves', 10, 'n1', 'n2', 'n3'), ...rest]);
    await scene.round();
    expect(scene.commands()).to.deep.equal([
      'ip nexthop add id 260000002 group 250000000/250000002 proto 86',
      'ip route replace 198.51.100.10 nhid 260000002 proto 86',
      'ip nexthop delete id 250000001',
    ]);
  });

  it('lets a node go before two groups that have the same nodes now are merged', async () => {
    const on = (...names: readonly string[]) => ({
      externalTrafficPolicy: 'Local' as const,
      endpoints: names.map((name) => endpoint(name)),
    });
    const both = ['198.51.100.10', '198.51.100.11'].map((eip, i) => service(`b${i}`, [eip], on('n1', 'n3')));
    const one = ['198.51.100.12', '198.51.100.13'].map((eip, i) => service(`o${i}`, [eip], on('n1')));
    const scene = new Scene(snapshot(threeNodes, [...both, ...one]));
    await scene.round();
    scene.cluster = snapshot(threeNodes.slice(0, 2), [...both, ...one]);
    await scene.round();
    expect(scene.commands()).to.deep.equal([
      'ip nexthop delete id 250000001',
      'ip route replace 198.51.100.12 nhid 260000000 proto 86',
      'ip route replace 198.51.100.13 nhid 260000000 proto 86',
      'ip nexthop delete id 260000001',
    ]);
  });

  it('moves a route to a group that is there already, and deletes the one it left', async () => {
    const scene = new Scene(snapshot(threeNodes, [web, local]));
    await scene.round();
    scene.cluster = snapshot(threeNodes, [web, { ...local, externalTrafficPolicy: 'Cluster' }]);
    await scene.round();
    expect(scene.commands()).to.deep.equal([
      'ip route replace 198.51.100.12 nhid 260000000 proto 86',
      'ip nexthop delete id 260000001',
    ]);
  });

  it('gives each EIP of a split set its own group without touching the others', async () => {
    const scene = new Scene(snapshot(threeNodes, [web, api]));
    await scene.round();
    scene.cluster = snapshot(threeNodes, [
      web,
      { ...api, externalTrafficPolicy: 'Local', endpoints: [endpoint('n2')] },
    ]);
    await scene.round();
    expect(scene.commands()).to.deep.equal([
      'ip nexthop add id 260000001 group 250000001 proto 86',
      'ip route replace 198.51.100.11 nhid 260000001 proto 86',
    ]);
  });

  it('takes a route away with the last endpoint; the pool answers', async () => {
    const scene = new Scene(snapshot(threeNodes, [web, api]));
    await scene.round();
    scene.cluster = snapshot(threeNodes, [{ ...web, endpoints: [] }, api]);
    await scene.round();
    expect(scene.commands()).to.deep.equal(['ip route delete 198.51.100.10 nhid 260000000 proto 86']);
  });

  it('makes new groups when their type changes, and moves the routes before the old one goes', async () => {
    const scene = new Scene(snapshot(threeNodes, [web]));
    await scene.round();
    scene.settings = gateway({ resilience: { buckets: 128, idleTimer: 120, unbalancedTimer: 0 } });
    await scene.round();
    expect(scene.commands()).to.deep.equal([
      'ip nexthop add id 260000001 group 250000000/250000001/250000002 type resilient buckets 128 idle_timer 120 unbalanced_timer 0 proto 86',
      'ip route replace 198.51.100.10 nhid 260000001 proto 86',
      'ip nexthop delete id 260000000',
    ]);
    expect((await scene.round('route')).done).to.deep.equal([]);
  });

  it('routes both families, each over its own nexthops', async () => {
    const scene = new Scene(snapshot(threeNodes, [service('dual', ['198.51.100.10', '2001:db8:e::10'])]));
    await scene.round();
    expect(scene.commands().slice(-4)).to.deep.equal([
      'ip nexthop add id 260000000 group 250000000/250000001/250000002 proto 86',
      'ip nexthop add id 260000001 group 250000003/250000004/250000005 proto 86',
      'ip route add 198.51.100.10 nhid 260000000 proto 86',
      'ip -6 route add 2001:db8:e::10 nhid 260000001 proto 86 metric 1024',
    ]);
  });

  it('sets the default route of the uplink when it is configured', async () => {
    const scene = new Scene(
      snapshot([], []),
      gateway({ defaultRoutes: [parseIp('203.0.113.254'), parseIp('2001:db8:113::fe')] }),
    );
    await scene.round();
    expect(scene.commands().slice(-2)).to.deep.equal([
      'ip route add default via 203.0.113.254 dev eth1 proto 86',
      'ip -6 route add default via 2001:db8:113::fe dev eth1 proto 86 metric 1024',
    ]);
  });
});

describe('a gateway and what disturbs it', () => {
  it('puts back a route that another program deleted, and reports it', async () => {
    const scene = new Scene(snapshot(threeNodes, [web, api]));
    await scene.round();
    const route = scene.world.objects.get('route 254 198.51.100.10/32 0') as Route;
    scene.world.delete(route);
    const report = await scene.round('route');
    expect(scene.commands()).to.deep.equal(['ip route add 198.51.100.10 nhid 260000000 proto 86']);
    expect([...report.repaired]).to.deep.equal(['route 254 198.51.100.10/32 0']);
  });

  it('rebuilds everything after the LAN link came back', async () => {
    const scene = new Scene(snapshot(threeNodes, [web, local]));
    await scene.round();
    scene.world.linkDown('eth0');
    const down = await scene.round('link');
    expect(down.problems.map(({ code }) => code)).to.deep.equal(['interface-down']);
    expect(down.failed).to.deep.equal([]);
    scene.world.linkUp('eth0');
    scene.world.addAddress('eth0', '2001:db8:10::1/64');
    const report = await scene.round('link');
    expect(report.problems).to.deep.equal([]);
    expect(report.wanted).to.deep.equal(report.installed);
    expect((await scene.round('route')).done).to.deep.equal([]);
  });

  it('repairs a nexthop that another program deleted, and the group that shrank', async () => {
    const scene = new Scene(snapshot(threeNodes, [web]));
    await scene.round();
    const nexthop = scene.world.objects.get('nexthop 250000001');
    if (nexthop === undefined) throw new Error('no nexthop');
    scene.world.delete(nexthop);
    await scene.round('route');
    expect(scene.commands()).to.deep.equal([
      'ip nexthop add id 250000001 via 10.0.0.12 dev eth0 proto 86',
      'ip nexthop replace id 260000000 group 250000000/250000001/250000002 proto 86',
    ]);
  });

  it('reports a foreign route on an EIP, and never overwrites it', async () => {
    const scene = new Scene(snapshot(threeNodes, [web, api]));
    const foreign: Route = {
      kind: 'route',
      table: 254,
      dst: '198.51.100.10/32' as Route['dst'],
      metric: 0,
      protocol: 4,
      type: 'unicast',
      nhid: undefined,
      hops: [{ via: parseIp('10.0.0.99'), link: 2, weight: 1 }],
      src: undefined,
    };
    scene.world.add(foreign);
    const report = await scene.round();
    expect(report.conflicts.map(({ holder }) => holder)).to.deep.equal([foreign]);
    expect(report.failed).to.deep.equal([]);
    expect(scene.world.objects.get('route 254 198.51.100.10/32 0')).to.deep.equal(foreign);
    expect(scene.world.objects.has('route 254 198.51.100.11/32 0')).to.equal(true);
    expect(report.wanted.route - report.installed.route).to.equal(1);

    scene.world.delete(foreign);
    const after = await scene.round('route');
    expect(after.conflicts).to.deep.equal([]);
    expect(scene.commands()).to.deep.equal(['ip route add 198.51.100.10 nhid 260000000 proto 86']);
  });

  it('takes back a route that another program replaced by its own only when it is gone', async () => {
    const scene = new Scene(snapshot(threeNodes, [web]));
    await scene.round();
    const ours = scene.world.objects.get('route 254 198.51.100.10/32 0') as Route;
    scene.world.replace({ ...ours, protocol: 4 });
    const report = await scene.round('route');
    expect(report.conflicts).to.have.length(1);
  });

  it('leaves out a node that the kernel will not route to, and names it', async () => {
    const nodes = [...threeNodes.slice(0, 1), node('far', ['10.9.9.9'])];
    const scene = new Scene(snapshot(nodes, [web]));
    const report = await scene.round();
    expect(report.problems.map(({ code, subject }) => `${code}: ${subject}`)).to.deep.equal([
      'node-not-on-lan: node far (10.9.9.9)',
    ]);
    expect(scene.world.objects.has('route 254 198.51.100.10/32 0')).to.equal(true);
    expect((await scene.round()).done).to.deep.equal([]);
  });

  it('keeps the old way of an EIP whose new nodes the kernel refuses', async () => {
    const scene = new Scene(snapshot(threeNodes.slice(0, 1), [local]));
    await scene.round();
    scene.cluster = snapshot([node('far', ['10.9.9.9'])], [{ ...local, endpoints: [endpoint('far')] }]);
    await scene.round();
    expect(scene.world.objects.has('route 254 198.51.100.12/32 0')).to.equal(true);
    expect(scene.world.objects.has('nexthop 250000000')).to.equal(true);
  });

  it('keeps it also when the type of groups changes meanwhile, until a node is accepted', async () => {
    const scene = new Scene(snapshot(threeNodes.slice(0, 1), [local]));
    await scene.round();
    const far = { ...local, endpoints: [endpoint('far')] };
    scene.cluster = snapshot([...threeNodes.slice(0, 1), node('far', ['10.9.9.9'])], [far]);
    await scene.round();
    scene.settings = gateway({ resilience: { buckets: 32, idleTimer: 60, unbalancedTimer: 0 } });
    await scene.round();
    expect(scene.commands().filter((line) => !line.includes('# E'))).to.deep.equal([]);
    expect((await scene.round('route')).done).to.deep.equal([]);
    scene.cluster = snapshot(threeNodes, [{ ...local, endpoints: [endpoint('n2')] }, web]);
    await scene.round();
    expect(scene.commands()).to.deep.equal([
      'ip nexthop add id 250000003 via 10.0.0.12 dev eth0 proto 86',
      'ip nexthop add id 250000004 via 10.0.0.13 dev eth0 proto 86',
      'ip nexthop add id 260000001 group 250000000/250000003/250000004 type resilient buckets 32 idle_timer 60 unbalanced_timer 0 proto 86',
      'ip nexthop add id 260000002 group 250000003 type resilient buckets 32 idle_timer 60 unbalanced_timer 0 proto 86',
      'ip route add 198.51.100.10 nhid 260000001 proto 86',
      'ip route replace 198.51.100.12 nhid 260000002 proto 86',
      'ip nexthop delete id 260000000',
    ]);
  });

  it('keeps it with the nexthops that it leads over, also where a node has two of them', async () => {
    const nodes = [...threeNodes.slice(0, 1), node('far', ['10.9.9.9'])];
    const first = new Scene(snapshot(nodes, [local]));
    await first.round();
    const { world } = first;
    const twin = 250_000_005;
    world.add({ kind: 'nexthop', id: twin, protocol: 86, via: parseIp('10.0.0.11'), link: 2 });
    const group = world.objects.get('nexthop 260000000');
    if (group?.kind !== 'group') throw new Error('the group of n1');
    world.replace({ ...group, members: [{ id: twin, weight: 1 }] });
    const settings = gateway({ resilience: { buckets: 32, idleTimer: 60, unbalancedTimer: 0 } });
    const cluster = snapshot(nodes, [web, { ...local, endpoints: [endpoint('far')] }]);
    const second = new Scene(cluster, settings, world);
    await second.round('route');
    await second.round('route');
    expect(
      ['nexthop 250000005', 'nexthop 260000000', 'route 254 198.51.100.12/32 0'].map((key) =>
        world.objects.has(key),
      ),
    ).to.deep.equal([true, true, true]);
  });

  it('gives it up when another program takes the id of the group that it was in', async () => {
    const nodes = [...threeNodes.slice(0, 1), node('far', ['10.9.9.9'])];
    const scene = new Scene(snapshot(nodes, [local]));
    await scene.round();
    scene.cluster = snapshot(nodes, [{ ...local, endpoints: [endpoint('far')] }]);
    scene.settings = gateway({ resilience: { buckets: 32, idleTimer: 60, unbalancedTimer: 0 } });
    await scene.round();
    const group = scene.world.objects.get('nexthop 260000000');
    if (group === undefined) throw new Error('the group is kept');
    scene.world.delete(group);
    scene.world.add({ kind: 'nexthop', id: 260_000_000, protocol: 4, via: parseIp('10.0.0.99'), link: 2 });
    await scene.round('route');
    const report = await scene.round('route');
    expect(report.failed.map(({ change }) => keyOf(changeObject(change)))).to.deep.equal([
      'nexthop 250000001',
    ]);
    expect(report.held).to.deep.equal([]);
    expect(scene.role.desire.table.get('route 254 198.51.100.12/32 0')).to.equal(undefined);
  });

  it('counts an EIP once in its group, also one whose former nodes were all refused', async () => {
    const [n1, n2, n3] = threeNodes;
    if (n1 === undefined || n2 === undefined || n3 === undefined) throw new Error('three nodes');
    const far = node('far', ['10.9.9.9']);
    const webOn = (on: string) => ({
      ...web,
      externalTrafficPolicy: 'Local' as const,
      endpoints: service('web', [], { endpoints: [endpoint(on)] }).endpoints,
    });
    const scene = new Scene(snapshot([far, n1, n2], [webOn('far'), api]));
    await scene.round();
    scene.cluster = snapshot([far, n1, n2], [web, api]);
    await scene.round();
    scene.cluster = snapshot([far, n1, n2], [web]);
    await scene.round();
    scene.cluster = snapshot([far, n1, n2, n3], [web]);
    await scene.round();
    scene.cluster = snapshot([far, n1, n2, n3], [webOn('n1')]);
    await scene.round();
    // Its only EIP moves, so the group is replaced in place.
    expect(scene.commands()).to.deep.equal([
      'ip nexthop replace id 260000000 group 250000001 proto 86',
      'ip nexthop delete id 250000002',
      'ip nexthop delete id 250000003',
    ]);
  });

  it('names a fight and repairs more slowly', async () => {
    const scene = new Scene(snapshot(threeNodes, [web]));
    await scene.round();
    for (let i = 0; i < 5; i += 1) {
      scene.world.delete(scene.world.objects.get('route 254 198.51.100.10/32 0') as Route);
      scene.now += 1000;
      await scene.round('route');
    }
    scene.world.delete(scene.world.objects.get('route 254 198.51.100.10/32 0') as Route);
    scene.now += 1000;
    const report = await scene.round('route');
    expect(report.problems.map(({ code }) => code)).to.deep.equal(['fight']);
    expect(report.held.map(({ reason }) => reason)).to.deep.equal(['fight']);
    expect(report.again).to.equal(scene.now - 1000 + 5000);
    scene.now = report.again ?? 0;
    const later = await scene.round();
    expect(later.done).to.have.length(1);
  });

  it('does not take a link that flaps for a fight', async () => {
    const scene = new Scene(snapshot(threeNodes, [web]));
    await scene.round();
    for (let i = 0; i < 8; i += 1) {
      scene.world.linkDown('eth0');
      scene.world.linkUp('eth0');
      scene.world.addAddress('eth0', '2001:db8:10::1/64');
      scene.now += 1000;
      const report = await scene.round('link');
      expect(report.problems).to.deep.equal([]);
      expect(report.wanted).to.deep.equal(report.installed);
    }
  });

  it('never uses a nexthop id of another program', async () => {
    const scene = new Scene(snapshot(threeNodes, [web]));
    scene.world.add({ kind: 'nexthop', id: 250_000_000, protocol: 4, via: parseIp('10.0.0.50'), link: 2 });
    scene.world.add({ kind: 'nexthop', id: 260_000_000, protocol: 4, via: parseIp('10.0.0.51'), link: 2 });
    await scene.round();
    expect(scene.commands()).to.include('ip nexthop add id 250000001 via 10.0.0.11 dev eth0 proto 86');
    expect(scene.commands()).to.include('ip route add 198.51.100.10 nhid 260000001 proto 86');
  });
});

describe('the guard', () => {
  const ten = Array.from({ length: 10 }, (_, i) => service(`s${i}`, [`198.51.100.${10 + i}`]));

  it('deletes nothing before the lists are complete', async () => {
    const scene = new Scene(snapshot(threeNodes, ten));
    await scene.round();
    scene.cluster = snapshot([], [], { complete: false });
    const report = await scene.round();
    expect(report.done).to.deep.equal([]);
    expect(new Set(report.held.map(({ reason }) => reason))).to.deep.equal(new Set(['lists incomplete']));
  });

  it('never holds a single Service', async () => {
    const scene = new Scene(snapshot(threeNodes, [web]));
    await scene.round();
    scene.cluster = snapshot(threeNodes, []);
    const report = await scene.round();
    expect(report.held).to.deep.equal([]);
    expect(scene.world.objects.has('route 254 198.51.100.10/32 0')).to.equal(false);
  });

  it('counts Services, not routes: one may hold many EIPs of both families', async () => {
    const many = service('many', ['198.51.100.10', '198.51.100.11', '2001:db8:e::10']);
    const scene = new Scene(snapshot(threeNodes, [many]));
    await scene.round();
    scene.cluster = snapshot(threeNodes, []);
    const report = await scene.round();
    expect(report.held).to.deep.equal([]);
    expect(scene.commands().filter((line) => line.includes('route delete'))).to.have.length(3);
  });

  it('knows in later rounds and after a dump whose routes it holds', async () => {
    const two = [service('a', ['198.51.100.10', '198.51.100.11']), service('b', ['198.51.100.12'])];
    const scene = new Scene(snapshot(threeNodes, two));
    await scene.round();
    scene.cluster = snapshot(threeNodes, []);
    for (const kind of ['cluster', 'cluster', 'route'] as const) {
      const { held } = await scene.round(kind);
      const routes = held.filter((change) => change.verb === 'delete' && change.have.kind === 'route');
      expect(routes.map(({ why }) => why.services?.join())).to.deep.equal([
        'default/a',
        'default/a',
        'default/b',
      ]);
      expect(routes[0]?.why.text).to.equal('no longer wanted: Service default/a');
    }
  });

  it('holds when most routes would vanish, adds all the same, and goes on after the hold time', async () => {
    const scene = new Scene(snapshot(threeNodes, ten));
    await scene.round();
    scene.cluster = snapshot(threeNodes, [service('new', ['198.51.100.99'])]);
    const report = await scene.round();
    expect(report.done).to.have.length(1);
    expect(report.held).to.have.length(10);
    expect(report.again).to.equal(scene.now + 600_000);
    scene.now += 599_999;
    expect((await scene.round()).held).to.have.length(10);
    scene.now += 1;
    expect((await scene.round()).held).to.deep.equal([]);
    expect(scene.commands()).to.have.length(10);
  });

  it('goes on at once when an operator agrees, for this time only', async () => {
    const scene = new Scene(snapshot(threeNodes, ten));
    await scene.round();
    scene.cluster = snapshot(threeNodes, ten.slice(8));
    expect((await scene.round()).held).to.have.length(8);
    scene.reconciler.agree();
    expect((await scene.round()).held).to.deep.equal([]);
    scene.cluster = snapshot(threeNodes, []);
    expect((await scene.round()).held.filter(({ reason }) => reason === 'too many at once')).to.have.length(
      2,
    );
  });

  it('lets those go that an operator names, and holds the others until their time', async () => {
    const scene = new Scene(snapshot(threeNodes, ten));
    await scene.round();
    scene.cluster = snapshot(threeNodes, ten.slice(6));
    const { held } = await scene.round();
    expect(held).to.have.length(6);
    const two = held.slice(0, 2);
    scene.reconciler.release(two);
    const released = await scene.round();
    expect(released.done.map(({ key }) => key)).to.have.members(two.map(({ key }) => key));
    expect(released.held).to.have.length(4);
    // The guard's window has forgotten what went, and four of eight would be no more than half.
    scene.now += scene.role.limits.window + 1;
    expect((await scene.round()).held).to.have.length(4);
  });

  it('does not take the word for one EIP for the next time', async () => {
    const scene = new Scene(snapshot(threeNodes, ten));
    await scene.round();
    scene.cluster = snapshot(threeNodes, ten.slice(6));
    const { held } = await scene.round();
    scene.reconciler.release(held.slice(0, 1));
    await scene.round();
    scene.cluster = snapshot(threeNodes, [...ten.slice(0, 1), ...ten.slice(6)]);
    await scene.round();
    scene.cluster = snapshot(threeNodes, ten.slice(6));
    expect((await scene.round()).held).to.have.length(6);
  });

  it('does not lose the word of an operator who agrees while a round is under way', async () => {
    const scene = new Scene(snapshot(threeNodes, ten));
    const running = scene.round();
    scene.reconciler.agree();
    await running;
    scene.cluster = snapshot(threeNodes, []);
    expect((await scene.round()).held).to.deep.equal([]);
  });

  it('keeps the traffic where it is when the list of nodes is suddenly short', async () => {
    const scene = new Scene(snapshot(threeNodes, ten));
    await scene.round();
    scene.cluster = snapshot(threeNodes.slice(0, 1), ten);
    const report = await scene.round();
    expect(report.done).to.deep.equal([]);
    expect(report.held.map(({ verb }) => verb).sort()).to.deep.equal(['delete', 'delete', 'replace']);
  });

  it('lets go of a hold when the list is whole again', async () => {
    const scene = new Scene(snapshot(threeNodes, ten));
    await scene.round();
    scene.cluster = snapshot(threeNodes, []);
    await scene.round();
    scene.cluster = snapshot(threeNodes, ten);
    const report = await scene.round();
    expect(report.held).to.deep.equal([]);
    expect(report.again).to.equal(undefined);
  });
});
