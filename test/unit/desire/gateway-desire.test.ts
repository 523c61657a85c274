import { expect } from 'chai';
import fc from 'fast-check';
import { gatewayObjects } from '../../../src/desire/gateway.ts';
import { paths } from '../../../src/desire/paths.ts';
import { parseIp } from '../../../src/model/ip.ts';
import { type KernelObject, keyOf } from '../../../src/model/object.ts';
import { allKeys, diff } from '../../../src/reconcile/diff.ts';
import { RecomputedDesire } from '../../../src/reconcile/recomputed.ts';
import { isOurs } from '../../any.ts';
import { gateway, router, Scene } from '../../scene.ts';
import { counterExamples, guardedCounterExamples } from './counter-examples.ts';
import {
  anyHistory,
  ClusterModel,
  type Disturbance,
  gatewayOf,
  type History,
  type Step,
} from './histories.ts';

/** A gateway in memory that lives through a history. */
class Life {
  readonly model: ClusterModel;
  readonly scene: Scene;
  /** Refuses every so many changes; 0: none. */
  refuses = 0;
  #changes = 0;

  constructor({ nodes }: History) {
    this.model = new ClusterModel(nodes);
    this.scene = new Scene(this.model.snapshot(), gateway(), router(), new Map(), {
      before: () => {
        this.#changes += 1;
        return this.refuses > 0 && this.#changes % (this.refuses + 1) === 0 ? 'EPERM' : undefined;
      },
    });
  }

  /** @param guarded what the guard holds is not released */
  async step(step: Step, guarded = false) {
    this.model.apply(step);
    this.scene.cluster = this.model.snapshot();
    this.scene.probed = this.model.probed;
    if (step.kind === 'gateway') this.scene.settings = gatewayOf(step.to);
    if (step.kind === 'refuse') this.refuses = step.chance;
    if (step.kind === 'disturb') disturb(this.scene, step.what, step.nth);
    // The guard would only hide what is desired.
    if (!guarded) this.scene.reconciler.agree();
    return await this.scene.round(step.kind === 'disturb' ? 'link' : 'cluster');
  }
}

function disturb({ world }: Scene, what: Disturbance, nth: number): void {
  const ours = [...world.objects.values()].filter(isOurs);
  const victim = ours[nth % Math.max(1, ours.length)];
  switch (what) {
    case 'delete':
      if (victim) world.delete(victim);
      return;
    case 'change':
      if (victim?.kind === 'route' && victim.nhid !== undefined)
        world.replace({ ...victim, src: parseIp('203.0.113.1') });
      return;
    case 'flap':
      world.linkDown('eth0');
      world.linkUp('eth0');
      world.addAddress('eth0', '2001:db8:10::1/64');
      return;
    case 'lan down':
      world.linkDown('eth0');
      return;
    case 'lan up':
      world.linkUp('eth0');
      world.addAddress('eth0', '2001:db8:10::1/64');
      return;
    case 'foreign id': {
      if (victim?.kind !== 'nexthop' && victim?.kind !== 'group') return;
      world.delete(victim);
      world.add({ kind: 'nexthop', id: victim.id, protocol: 4, via: parseIp('10.0.0.99'), link: 2 });
      return;
    }
    case 'own address':
      world.addAddress('eth0', `10.0.0.${11 + (nth % 5)}/24`);
      return;
    case 'sysctl':
      world.setSysctl('net/ipv4/ip_forward', '0');
      return;
    default:
      what satisfies never;
  }
}

/** The objects without their ids, each route with where it leads. */
function shape(objects: ReadonlyMap<string, KernelObject>): readonly string[] {
  const show = (object: KernelObject | undefined): string => {
    switch (object?.kind) {
      case 'nexthop':
        return `via ${object.via}`;
      case 'group':
        return `[${object.members.map(({ id, weight }) => `${show(objects.get(`nexthop ${id}`))}*${weight}`)}] ${JSON.stringify(object.resilience)}`;
      case 'route':
        return `${object.type} ${object.dst} ${object.nhid === undefined ? '' : show(objects.get(`nexthop ${object.nhid}`))}`;
      case 'sysctl':
        return `${object.name}=${object.value}`;
      default:
        return `${object?.kind}`;
    }
  };
  return [...objects.values()].map(show).sort();
}

/** What the full recompute still finds to do once the table has done its work. */
function leftOver({ scene, model }: Life): readonly string[] {
  const { settings, reconciler, role } = scene;
  const actual = reconciler.actual;
  if (actual === undefined) throw new Error('no round yet');
  const full = new RecomputedDesire((have, refused) =>
    gatewayObjects(model.snapshot(), settings, have, refused, model.probed),
  );
  full.update(actual);
  const byTable = diff(allKeys(role.desire.table, actual), role.desire.table, actual);
  const pending = new Set(
    byTable.map(({ change }) => keyOf(change.verb === 'delete' ? change.have : change.want)),
  );
  return diff(allKeys(full.table, actual), full.table, actual)
    .filter(({ change }) => !pending.has(keyOf(change.verb === 'delete' ? change.have : change.want)))
    .map(
      ({ change, why }) =>
        `${change.verb} ${keyOf(change.verb === 'delete' ? change.have : change.want)} (${why.text})`,
    );
}

function sorted<T>(values: Iterable<T>): readonly string[] {
  return [...values].map((value) => JSON.stringify(value)).sort();
}

const runs = Number(process.env['EIPROUTE_HISTORIES'] ?? 300);

describe('the tables of a gateway', () => {
  it('want what the full recompute wants, after every step of any history', async () => {
    await fc.assert(
      fc.asyncProperty(anyHistory({ minLength: 3, maxLength: 25 }), async (history) => {
        const life = new Life(history);
        await life.scene.round('link');
        for (const step of history.steps) {
          await life.step(step);
          const { desire } = life.scene.role;
          const found = paths(life.model.snapshot(), life.scene.settings, life.model.probed);
          const { paths: table } = life.scene.role.gatewayDesire ?? {};
          if (table === undefined) throw new Error('no tables');
          expect(sorted(table.paths())).to.deep.equal(sorted([...found.paths, ...found.idle]));
          expect(sorted(table.problems)).to.deep.equal(sorted(found.problems));
          expect(table.counts).to.deep.equal({
            routed: found.paths.length,
            idle: found.idle.length,
            nodes: new Set(found.paths.flatMap(({ carriers }) => carriers.map(({ node }) => node))).size,
          });
          const { actual } = life.scene.reconciler;
          if (actual === undefined) throw new Error('no round yet');
          for (const { key, object } of desire.table.values()) expect(keyOf(object)).to.equal(key);
          // What differs is known without a walk over everything.
          expect(diff(life.scene.reconciler.drift, desire.table, actual)).to.have.deep.members(
            diff(allKeys(desire.table, actual), desire.table, actual),
          );
          // A refusal of the kernel's own mood leaves things undone until the next dump.
          if (life.refuses > 0 || [...actual.refused.values()].some(({ code }) => code === 'EPERM')) continue;
          expect(leftOver(life), JSON.stringify(step)).to.deep.equal([]);
        }
        // Once the kernel takes everything again, all is as a gateway would have it that has just started.
        life.refuses = 0;
        await life.scene.round('link');
        await life.scene.round('link');
        expect(leftOver(life).join('\n'), 'at the end').to.equal('');
      }),
      { numRuns: runs, examples: counterExamples.map(([, history]) => [history]) },
    );
  }).timeout(Math.max(60_000, runs * 100));

  it('come to what a fresh start comes to', async () => {
    await fc.assert(
      fc.asyncProperty(anyHistory({ minLength: 3, maxLength: 15 }), async (history) => {
        const life = new Life(history);
        await life.scene.round('link');
        for (const step of history.steps)
          if (step.kind !== 'refuse' && step.kind !== 'complete') await life.step(step);
        const { links, objects } = life.scene.world;
        // An EIP whose every node is refused, or whose LAN is dead, keeps its old way: there the past shows.
        fc.pre(!life.model.snapshot().nodes.some(({ name }) => name === 'far'));
        // An EIP in use stays when a node claims its address.
        fc.pre(history.steps.every((step) => step.kind !== 'node' || step.to?.extra !== true));
        fc.pre([...links.values()].every(({ up, carrier }) => up && carrier));
        fc.pre([...links.values()].every(({ addresses }) => addresses.length <= 2));
        const fresh = new Scene(life.scene.cluster, life.scene.settings);
        fresh.probed = life.model.probed;
        await fresh.round('link');
        const ours = (all: ReadonlyMap<string, KernelObject>) =>
          new Map([...all].filter(([, one]) => isOurs(one)));
        expect(shape(ours(objects))).to.deep.equal(shape(ours(fresh.world.objects)));
      }),
      { numRuns: runs },
    );
  }).timeout(Math.max(60_000, runs * 100));

  it('come to what the full recompute wants once the guard lets go, whatever it held before', async () => {
    let holds = 0;
    await fc.assert(
      fc.asyncProperty(anyHistory({ minLength: 8, maxLength: 25 }), async (history) => {
        const life = new Life(history);
        await life.scene.round('link');
        for (const step of history.steps) {
          if (step.kind === 'refuse') continue;
          const { held } = await life.step(step, true);
          if (held.some(({ reason }) => reason === 'too many at once')) holds += 1;
          life.scene.now += 5000;
        }
        life.scene.now += 600_001;
        await life.scene.round('link');
        const { held } = await life.scene.round('link');
        expect(held.filter(({ reason }) => reason === 'too many at once')).to.deep.equal([]);
        expect(leftOver(life)).to.deep.equal([]);
      }),
      { numRuns: runs, examples: guardedCounterExamples.map(([, history]) => [history]) },
    );
    expect(holds).to.be.greaterThan(3);
  }).timeout(Math.max(60_000, runs * 100));

  it('have nothing to do in a round that follows a round', async () => {
    await fc.assert(
      fc.asyncProperty(anyHistory({ minLength: 1, maxLength: 10 }), async (history) => {
        const life = new Life(history);
        await life.scene.round('link');
        for (const step of history.steps) if (step.kind !== 'refuse') await life.step(step);
        life.scene.reconciler.agree();
        const again = await life.scene.round('link');
        expect(again.done).to.deep.equal([]);
      }),
      { numRuns: 100 },
    );
  });
});
