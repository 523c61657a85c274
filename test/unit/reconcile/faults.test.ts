import { expect } from 'chai';
import fc from 'fast-check';
import type { World } from '../../../lab/fake/memory-world.ts';
import { KernelError } from '../../../src/kernel/kernel.ts';
import { parseIp, parsePrefix } from '../../../src/model/ip.ts';
import {
  type Change,
  changeObject,
  type KernelObject,
  keyOf,
  type Route,
} from '../../../src/model/object.ts';
import type { Report } from '../../../src/reconcile/report.ts';
import { anyCluster, anyGateway, installed } from '../../any.ts';
import { endpoint, gateway, node, router, Scene, service, snapshot, threeNodes } from '../../scene.ts';
import type { Steps } from '../../step-kernel.ts';

const web = service('web', ['198.51.100.10', '2001:db8:e::10']);
const api = service('api', ['198.51.100.11'], {
  externalTrafficPolicy: 'Local',
  endpoints: [endpoint('n1')],
});
const late = service('late', ['198.51.100.12'], {
  externalTrafficPolicy: 'Local',
  endpoints: [endpoint('n2')],
});
const moving = (...on: readonly string[]) =>
  service('moving', ['198.51.100.13'], {
    externalTrafficPolicy: 'Local',
    endpoints: on.map((name) => endpoint(name)),
  });

const local = (name: string, eip: string, on: string) =>
  service(name, [eip], { externalTrafficPolicy: 'Local', endpoints: [endpoint(on)] });

const lan = 2;

/** A group shrinks with a node, one goes, one comes, and so do routes. */
const before = snapshot(threeNodes, [api, web]);
const after = snapshot(threeNodes.slice(0, 2), [late, web]);

/** The same, and a group is replaced: a change of everything. */
const beforeAll = snapshot(threeNodes, [api, web, moving('n1', 'n2')]);
const afterAll = snapshot(threeNodes.slice(0, 2), [late, web, moving('n1')]);

function refusals(report: Report): readonly string[] {
  return report.failed.map(({ change, code }) => `${change.verb} ${changeObject(change).kind}: ${code}`);
}

function reasons(report: Report): readonly string[] {
  return [...new Set(report.held.map(({ reason }) => reason))];
}

/** Goes through `beforeAll` and `afterAll`: the changes that the kernel is asked to make for the second one. */
async function changesOf(): Promise<readonly Change[]> {
  const scene = new Scene(beforeAll);
  await scene.round();
  scene.cluster = afterAll;
  await scene.round();
  return scene.kernel.journal.map(({ change }) => change);
}

/** Needs a group of its own. */
const other = service('other', ['198.51.100.80'], {
  externalTrafficPolicy: 'Local',
  endpoints: [endpoint('n3')],
});

/** Another program takes the id of each group that leads to the third node alone, just before we do: four times. */
function thief(world: World): Steps {
  let thefts = 0;
  return {
    before: ({ verb, ...rest }) => {
      const want = verb === 'add' && 'want' in rest ? rest.want : undefined;
      if (
        want?.kind === 'group' &&
        want.members.length === 1 &&
        want.members[0]?.id === 250_000_002 &&
        thefts < 5
      ) {
        thefts += 1;
        world.add({ kind: 'nexthop', id: want.id, protocol: 4, via: parseIp('10.0.0.77'), link: lan });
      }
      return undefined;
    },
  };
}

/** Links, foreign objects, settings: what we never touch. */
function ours(object: KernelObject): boolean {
  return object.kind !== 'sysctl' && object.protocol === 86;
}

describe('one refused change', () => {
  it('of any object disturbs nothing else, and the next dump mends it', async () => {
    const changes = await changesOf();
    expect(changes.map(({ verb }) => verb)).to.include.members(['add', 'replace', 'delete']);
    const goal = new Scene(afterAll);
    await goal.round();
    for (const victim of changes) {
      const scene = new Scene(beforeAll);
      await scene.round();
      scene.cluster = afterAll;
      const key = keyOf(changeObject(victim));
      scene.kernel.failNext(
        (change) => change.verb === victim.verb && keyOf(changeObject(change)) === key,
        'EPERM',
        'no',
      );
      const report = await scene.round();
      expect(
        report.failed.some(({ code }) => code === 'EPERM'),
        key,
      ).to.equal(true);
      expect(report.failed).to.have.length(1);
      const mended = await scene.round('route');
      expect(mended.failed, key).to.deep.equal([]);
      expect(mended.held, key).to.deep.equal([]);
      expect(installed(scene), key).to.deep.equal(installed(goal));
      expect((await scene.round()).done).to.deep.equal([]);
    }
  });

  it('is not tried again before the next dump, and is in every report until then', async () => {
    const scene = new Scene(before);
    scene.kernel.failNext(({ verb }) => verb === 'add', 'EPERM');
    const first = refusals(await scene.round());
    expect(first).to.have.length(1);
    expect(refusals(await scene.round())).to.deep.equal(first);
    expect(scene.kernel.journal).to.deep.equal([]);
    expect(refusals(await scene.round('route'))).to.deep.equal([]);
  });

  it('of an object that is no longer desired is reported until the next dump, and not tried again', async () => {
    const settings = gateway({ defaultRoutes: [parseIp('203.0.113.254')] });
    const isFixed = ({ verb, ...rest }: Change): boolean =>
      'want' in rest &&
      (rest.want.kind === 'nft' || (rest.want.kind === 'route' && rest.want.dst === '0.0.0.0/0'));
    for (const isReplaced of [false, true]) {
      const scene = new Scene(before, gateway({ defaultRoutes: settings.defaultRoutes, hash: 'ports' }));
      if (isReplaced) await scene.round();
      scene.settings = { ...settings, defaultRoutes: [parseIp('203.0.113.253')] };
      for (let i = 0; i < 2; i += 1) scene.kernel.failNext(isFixed, 'EPERM');
      const codes = ['default-route-refused', 'flow-label'];
      for (const refresh of ['route', 'cluster', 'cluster'] as const) {
        const report = await scene.round(refresh);
        expect(report.failed).to.have.length(2);
        expect(report.problems.map(({ code }) => code)).to.have.members(codes);
        expect(report.held).to.deep.equal([]);
        if (refresh === 'cluster') expect(scene.kernel.journal).to.deep.equal([]);
      }
      const mended = await scene.round('route');
      expect(mended.done).to.have.length(2);
      expect(mended.problems).to.deep.equal([]);
    }
  });

  it('of a group holds up its routes without a try, and is one failure', async () => {
    const scene = new Scene(before);
    const group = ({ verb, ...rest }: Change) =>
      verb === 'add' && 'want' in rest && rest.want.kind === 'group';
    for (let i = 0; i < 9; i += 1) scene.kernel.failNext(group, 'EINVAL', 'Unsupported nexthop group type');
    const report = await scene.round();
    expect(refusals(report)).to.deep.equal(['add group: EINVAL', 'add group: EINVAL', 'add group: EINVAL']);
    expect(reasons(report)).to.deep.equal(['names what is missing']);
    expect(report.held).to.have.length(3);
    scene.kernel.forget();
    expect((await scene.round()).done).to.deep.equal([]);
    expect(scene.kernel.journal, 'no other id is tried').to.deep.equal([]);
  });

  it('of a nexthop leaves its node out, and all EIPs their other nodes', async () => {
    const scene = new Scene(before);
    scene.kernel.failNext(
      (change) => change.verb === 'add' && change.want.kind === 'nexthop' && change.want.via === '10.0.0.12',
      'ENETUNREACH',
      'Nexthop has invalid gateway',
    );
    const report = await scene.round();
    expect(report.problems.map(({ code, subject }) => `${code}: ${subject}`)).to.deep.equal([
      'node-not-on-lan: node n2 (10.0.0.12)',
    ]);
    expect(installed(scene)).to.include(
      'unicast 198.51.100.10/32 [via 10.0.0.11*1,via 10.0.0.13*1] undefined',
    );
  });

  it('of a nexthop that was there before moves no route: its group is changed in place', async () => {
    const four = [...threeNodes, node('n4', ['10.0.0.14'])];
    const two = [service('a', ['198.51.100.1']), service('b', ['198.51.100.2'])];
    const scene = new Scene(snapshot(four, two));
    scene.role.originOf = () => 'event';
    await scene.round();
    const lost = scene.world.objects.get('nexthop 250000000');
    if (lost === undefined) throw new Error('no nexthop');
    scene.world.delete(lost);
    scene.cluster = snapshot(four.slice(0, 2), two);
    scene.kernel.failNext(({ verb }) => verb === 'add', 'EPERM');
    await scene.round('link');
    expect(scene.commands()).to.deep.equal([
      'ip nexthop add id 250000000 via 10.0.0.11 dev eth0 proto 86  # EPERM',
      'ip nexthop replace id 260000000 group 250000001 proto 86',
      'ip nexthop delete id 250000002',
      'ip nexthop delete id 250000003',
    ]);
  });

  it('to make a group keeps others where an EIP cannot leave them, and no longer than that EIP is there', async () => {
    const on = (name: string) => [local('a', '198.51.100.1', name), local('b', '198.51.100.2', name)];
    const scene = new Scene(snapshot(threeNodes, [...on('n1'), local('c', '198.51.100.3', 'n1')]));
    scene.role.originOf = () => 'event';
    await scene.round();
    scene.cluster = snapshot(threeNodes, [...on('n2'), local('c', '198.51.100.3', 'n3')]);
    scene.kernel.failNext((change) => change.verb === 'add' && change.want.kind === 'group', 'EPERM');
    await scene.round();
    const moved = 'ip nexthop replace id 260000000 group 250000001 proto 86';
    expect(scene.commands()).to.not.include(moved);
    scene.cluster = snapshot(threeNodes, on('n2'));
    await scene.round();
    expect(scene.commands()).to.include(moved);
  });

  it('of an id that another program took in between is repaired at once', async () => {
    const scene = new Scene(before, gateway(), router(), new Map(), {
      before: (change) => {
        // Between our look and our write.
        if (
          change.verb === 'add' &&
          change.want.kind === 'nexthop' &&
          !scene.world.objects.has('nexthop 250000000')
        ) {
          scene.world.add({ ...change.want, protocol: 4, via: parseIp('10.0.0.77') });
        }
        return undefined;
      },
    });
    const report = await scene.round();
    expect([report.failed, report.conflicts, report.problems, report.held]).to.deep.equal([[], [], [], []]);
    expect(report.installed).to.deep.equal(report.wanted);
  });

  it('that never ends lets no delete go in that round', async () => {
    const world = router();
    const scene = new Scene(before, gateway(), world, new Map(), thief(world));
    await scene.round();
    scene.cluster = snapshot(threeNodes, [web, other]);
    const report = await scene.round();
    expect(report.done.some(({ verb }) => verb === 'delete')).to.equal(false);
    expect(reasons(report)).to.include('after a refusal');
    const mended = await scene.round('route');
    expect([mended.failed, mended.held, mended.conflicts]).to.deep.equal([[], [], []]);
    expect(world.objects.has('route 254 198.51.100.11/32 0')).to.equal(false);
  });

  it('to make a group leaves its routes untried in that pass, and the others go', async () => {
    const scene = new Scene(snapshot(threeNodes, [web, api]));
    // The group of web, of all three nodes.
    const isMeant = (change: Change): boolean =>
      change.verb === 'add' && change.want.kind === 'group' && change.want.members.length === 3;
    scene.kernel.failNext(isMeant, 'EPERM');
    await scene.round();
    const tried = scene.commands();
    const refused = tried.findIndex((line) => line.includes('EPERM'));
    expect(refused).to.be.greaterThan(-1);
    const [, id] = /id (\d+) group/.exec(tried[refused] ?? '') ?? [];
    expect(tried.filter((line) => line.includes(`nhid ${id} `))).to.deep.equal([]);
    expect(scene.world.objects.has('route 254 198.51.100.11/32 0')).to.equal(true);
  });

  it('to delete a route keeps the group and the nexthops that it leads to', async () => {
    const scene = new Scene(snapshot(threeNodes, [api]));
    await scene.round();
    scene.cluster = snapshot(threeNodes, []);
    scene.kernel.failNext((change) => change.verb === 'delete' && change.have.kind === 'route', 'EPERM');
    const report = await scene.round();
    expect(refusals(report)).to.deep.equal(['delete route: EPERM']);
    expect(reasons(report)).to.deep.equal(['still named']);
    expect(installed(scene)).to.include('unicast 198.51.100.11/32 [via 10.0.0.11*1] undefined');
    expect(reasons(await scene.round())).to.deep.equal(['still named']);
    const mended = await scene.round('route');
    expect([mended.failed, mended.held]).to.deep.equal([[], []]);
    expect(scene.commands()).to.have.length(3);
  });

  it('for an object that is not there is a failure, but for a delete', async () => {
    for (const code of ['ESRCH', 'ENOENT', 'EADDRNOTAVAIL']) {
      const scene = new Scene(before);
      scene.kernel.failNext((change) => change.verb === 'add' && change.want.kind === 'route', code);
      expect(refusals(await scene.round())).to.deep.equal([`add route: ${code}`]);
      await scene.round('route');
      scene.cluster = snapshot(threeNodes, [web]);
      scene.kernel.failNext((change) => change.verb === 'delete' && change.have.kind === 'route', code);
      const report = await scene.round();
      expect([report.failed, report.held], code).to.deep.equal([[], []]);
    }
  });

  it('for an object that a process of ours has made in between is none, once the kernel is read', async () => {
    const scene = new Scene(before, gateway(), router(), new Map(), {
      before: (change) => {
        if (
          change.verb === 'add' &&
          change.want.kind === 'route' &&
          !scene.world.objects.has(keyOf(change.want))
        )
          scene.world.add(change.want);
        return undefined;
      },
    });
    const report = await scene.round();
    expect([report.failed, report.conflicts, report.held]).to.deep.equal([[], [], []]);
    expect(report.installed).to.deep.equal(report.wanted);
  });

  it('to delete what is gone already is no failure', async () => {
    const scene = new Scene(before);
    await scene.round();
    const route = scene.world.objects.get('route 254 198.51.100.11/32 0');
    if (route === undefined) throw new Error('no route');
    scene.world.delete(route);
    scene.cluster = snapshot(threeNodes, [web]);
    const report = await scene.round();
    expect([report.failed, report.held]).to.deep.equal([[], []]);
    expect(report.done.length).to.be.greaterThan(0);
  });
});

describe('a hold', () => {
  const ten = Array.from({ length: 10 }, (_, i) => service(`s${i}`, [`198.51.100.${10 + i}`]));

  it('that a person ended does not begin anew because a refusal came between', async () => {
    const world = router();
    const scene = new Scene(snapshot(threeNodes, ten), gateway(), world, new Map(), thief(world));
    await scene.round();
    scene.cluster = snapshot(threeNodes, [other]);
    scene.reconciler.agree();
    const first = await scene.round();
    expect(reasons(first)).to.deep.equal(['after a refusal']);
    const second = await scene.round();
    expect(reasons(second)).to.not.include('too many at once');
    expect(second.done.filter(({ verb }) => verb === 'delete')).to.have.length(13);
    scene.cluster = snapshot(threeNodes, ten);
    await scene.round('route');
    scene.cluster = snapshot(threeNodes, []);
    expect(reasons(await scene.round()), 'for that time only').to.include('too many at once');
  });

  it('of a group lets a new EIP go by another one at once, and both go by one when it ends', async () => {
    const scene = new Scene(snapshot(threeNodes, ten));
    await scene.round();
    scene.cluster = snapshot(threeNodes.slice(2), [...ten, service('new', ['198.51.100.30'])]);
    expect(reasons(await scene.round())).to.deep.equal(['too many at once']);
    expect(scene.commands()).to.deep.equal([
      'ip nexthop add id 260000001 group 250000002 proto 86',
      'ip route add 198.51.100.30 nhid 260000001 proto 86',
    ]);
    scene.reconciler.agree();
    await scene.round();
    expect(scene.commands()).to.deep.equal([
      'ip nexthop replace id 260000000 group 250000002 proto 86',
      'ip route replace 198.51.100.30 nhid 260000000 proto 86',
      'ip nexthop delete id 260000001',
      'ip nexthop delete id 250000000',
      'ip nexthop delete id 250000001',
    ]);
  });

  it('of a group that no EIP needs leaves it to the next one that goes to its nodes', async () => {
    const scene = new Scene(snapshot(threeNodes, [local('a', '198.51.100.1', 'n1')]));
    await scene.round();
    scene.cluster = snapshot(threeNodes, [], { complete: false });
    expect(reasons(await scene.round())).to.deep.equal(['lists incomplete']);
    scene.cluster = snapshot(threeNodes, [local('b', '198.51.100.2', 'n1')], { complete: false });
    await scene.round();
    expect(scene.commands()).to.deep.equal(['ip route add 198.51.100.2 nhid 260000000 proto 86']);
  });

  it('leaves the groups and nexthops of what it holds', async () => {
    const scene = new Scene(snapshot(threeNodes, ten));
    await scene.round();
    scene.cluster = snapshot([], []);
    const report = await scene.round();
    expect(report.done).to.deep.equal([]);
    expect(new Set(reasons(report))).to.deep.equal(new Set(['too many at once', 'still named']));
  });
});

describe('an unreadable kernel', () => {
  it('is not written to, and the round after it does what is due', async () => {
    const scene = new Scene(before);
    scene.kernel.failList('EIO', 'dump interrupted');
    const caught = await scene.round().catch((error: unknown) => error);
    expect(caught).to.be.instanceOf(KernelError);
    expect(scene.kernel.journal).to.deep.equal([]);
    const report = await scene.round();
    expect(report.installed).to.deep.equal(report.wanted);
  });

  it('after a refusal leaves what was done in the memory', async () => {
    const scene = new Scene(before);
    await scene.round();
    scene.cluster = after;
    scene.kernel.failNext(({ verb }) => verb === 'add', 'ENOBUFS');
    scene.kernel.failList('EIO');
    expect(await scene.round().catch((error: unknown) => error)).to.be.instanceOf(KernelError);
    await scene.round('route');
    const goal = new Scene(after);
    await goal.round();
    expect(installed(scene)).to.deep.equal(installed(goal));
  });

  it('that breaks while it is written to is looked at before it is trusted again', async () => {
    let breaks = false;
    const scene = new Scene(before, gateway(), router(), new Map(), {
      after: () => {
        if (breaks) throw new KernelError('ENOBUFS', 'no answer');
      },
    });
    await scene.round();
    scene.cluster = after;
    breaks = true;
    expect(await scene.round().catch((error: unknown) => error)).to.be.instanceOf(KernelError);
    breaks = false;
    const report = await scene.round();
    expect(report.dumped).to.equal(true);
    expect(scene.kernel.journal.filter(({ error }) => error !== undefined)).to.deep.equal([]);
    const goal = new Scene(after);
    await goal.round();
    expect(installed(scene)).to.deep.equal(installed(goal));
  });
});

class Crash extends Error {
  override readonly name = 'Crash';
}

describe('a crash', () => {
  it('after any change leaves a world that the next process brings to the goal in one round', async () => {
    const total = (await changesOf()).length;
    const goal = new Scene(afterAll);
    await goal.round();
    for (let at = 1; at <= total; at += 1) {
      const world = router();
      const ledger = new Map<string, string>();
      const first = new Scene(beforeAll, gateway(), world, ledger);
      await first.round();
      let left = at;
      const dying = new Scene(afterAll, gateway(), world, ledger, {
        after: () => {
          left -= 1;
          if (left === 0) throw new Crash();
        },
      });
      expect(await dying.round().catch((error: unknown) => error)).to.be.instanceOf(Crash);
      const next = new Scene(afterAll, gateway(), world, ledger);
      const report = await next.round();
      expect([report.failed, report.held, report.conflicts]).to.deep.equal([[], [], []]);
      expect(installed(next)).to.deep.equal(installed(goal));
      expect((await next.round('route')).done).to.deep.equal([]);
    }
  });

  it('of a predecessor leaves orphans: they go when all lists are in, and what is wanted is not touched', async () => {
    const world = router();
    const ledger = new Map<string, string>();
    await new Scene(before, gateway(), world, ledger).round();
    const listing = snapshot([], [], { complete: false });
    const next = new Scene(listing, gateway(), world, ledger);
    const early = await next.round();
    expect(early.done).to.deep.equal([]);
    expect(reasons(early)).to.deep.equal(['lists incomplete']);
    next.cluster = snapshot(threeNodes, [web]);
    await next.round();
    expect(next.commands()).to.deep.equal([
      'ip route delete 198.51.100.11 nhid 260000000 proto 86',
      'ip nexthop delete id 260000000',
    ]);
  });
});

const foreign: readonly KernelObject[] = [
  { kind: 'nexthop', id: 17, protocol: 4, via: parseIp('10.0.0.99'), link: lan },
  { kind: 'nexthop', id: 250_000_001, protocol: 4, via: parseIp('10.0.0.98'), link: lan },
  { kind: 'nexthop', id: 18, protocol: 86, via: parseIp('10.0.0.97'), link: lan },
  { kind: 'group', id: 260_000_000, protocol: 4, members: [{ id: 17, weight: 1 }], resilience: undefined },
  { ...route('198.51.100.10/32'), nhid: 260_000_000 },
  route('198.51.100.0/24'),
  { ...route('192.0.2.0/24'), protocol: 86, table: 100 },
  route('2001:db8:e::/64', 1024),
  {
    kind: 'rule',
    family: 4,
    priority: 500,
    protocol: 4,
    table: 254,
    from: undefined,
    to: parsePrefix('198.51.100.0/24'),
    mark: undefined,
    iif: undefined,
  },
  { kind: 'neighbour', ip: parseIp('198.51.100.10'), link: 3, protocol: 4 },
];

function route(dst: string, metric = 0): Route {
  return {
    kind: 'route',
    table: 254,
    dst: parsePrefix(dst),
    metric,
    protocol: 4,
    type: 'unreachable',
    nhid: undefined,
    hops: [],
    src: undefined,
  };
}

describe('whatever the kernel refuses', () => {
  const luck = fc.infiniteStream(fc.integer({ min: 0, max: 9 }));

  it('nothing is deleted that another object names, foreign objects stay, and the goal is reached when it stops', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(anyCluster, anyGateway), { minLength: 2, maxLength: 4 }),
        luck,
        async (steps, stream) => {
          let faulty = true;
          const world = router();
          for (const one of foreign)
            world.add(one.kind === 'route' && one.nhid !== undefined ? { ...one, type: 'unicast' } : one);
          const untouched = [...world.objects].filter(
            ([, one]) =>
              !ours(one) || foreign.some(({ kind }) => kind === one.kind && keyOf(one) === 'nexthop 18'),
          );
          const scene = new Scene(snapshot([], []), gateway(), world, new Map(), {
            before: (change) => {
              if (
                change.verb === 'delete' &&
                (change.have.kind === 'nexthop' || change.have.kind === 'group')
              ) {
                // A group that keeps another member gets smaller.
                const lost = world
                  .users(change.have.id)
                  .filter((user) => user.kind !== 'group' || user.members.length === 1);
                expect(lost, `what goes with ${keyOf(change.have)}`).to.deep.equal([]);
              }
              return faulty && stream.next().value === 0 ? 'EPERM' : undefined;
            },
          });
          for (const [cluster, settings] of steps) {
            scene.cluster = cluster;
            scene.settings = settings;
            await scene.round();
            await scene.round('route');
          }
          for (const [key, object] of untouched) expect(world.objects.get(key), key).to.equal(object);

          faulty = false;
          scene.reconciler.agree();
          const report = await scene.round('link');
          expect(report.held).to.deep.equal([]);
          expect(report.failed.every(({ change }) => changeObject(change).kind === 'nexthop')).to.equal(true);
          expect((await scene.round()).done).to.deep.equal([]);
          for (const [key, object] of untouched) expect(world.objects.get(key), key).to.equal(object);
        },
      ),
      { numRuns: Number(process.env['EIPROUTE_HISTORIES'] ?? 200) },
    );
  });

  it('a node off the LAN and a foreign route are all that keep the world from the goal', async () => {
    const cluster = snapshot([...threeNodes, node('far', ['10.9.9.9'])], [web, api]);
    const world = router();
    world.add(route('198.51.100.10/32'));
    const scene = new Scene(cluster, gateway(), world);
    const report = await scene.round();
    expect(refusals(report)).to.deep.equal(['add nexthop: ENETUNREACH']);
    expect(report.conflicts.map(({ want }) => keyOf(want))).to.deep.equal(['route 254 198.51.100.10/32 0']);
    expect(report.wanted.route - report.installed.route).to.equal(1);
    expect(report.wanted.nexthop - report.installed.nexthop).to.equal(1);
  });
});
