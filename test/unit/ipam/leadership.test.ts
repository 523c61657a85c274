import { expect } from 'chai';
import fc from 'fast-check';
import type { Clock } from '../../../src/cluster/clock.ts';
import { type Lease, type Leases, type Outcome, RequestError } from '../../../src/cluster/writer.ts';
import { Leadership } from '../../../src/ipam/leadership.ts';
import { VirtualClock } from '../cluster/virtual-clock.ts';

const name = { namespace: 'kube-system', name: 'eiproute' };

/** One Lease, and who cannot reach it now. */
class Registry {
  lease: Lease = { holder: undefined, duration: 15, acquired: undefined, renewed: undefined, transitions: 0 };
  readonly cut = new Set<string>();
  writes = 0;
  #version = 1;

  for(identity: string): Leases {
    return {
      read: async () => {
        if (this.cut.has(identity))
          throw new RequestError('get leases: connect ECONNREFUSED', 'check', false);
        return { lease: this.lease, version: String(this.#version) };
      },
      write: async (_name, lease, version): Promise<Outcome> => {
        if (this.cut.has(identity)) {
          return {
            kind: 'refused',
            message: 'connect ECONNREFUSED',
            answered: false,
            everything: true,
            wait: undefined,
          };
        }
        if (version !== String(this.#version)) return { kind: 'stale' };
        this.#version += 1;
        this.writes += 1;
        this.lease = lease;
        return { kind: 'done' };
      },
    };
  }
}

interface Party {
  readonly leadership: Leadership;
  readonly stop: AbortController;
  readonly ended: Promise<void>;
}

function join(registry: Registry, identity: string, clock: Clock, changed = (): void => {}): Party {
  const stop = new AbortController();
  const leadership = new Leadership({ leases: registry.for(identity), name, identity, clock, changed });
  return { leadership, stop, ended: leadership.run(stop.signal) };
}

/**
 * Joins for the Leases of two clusters, in their order, as the allocation does: a later one only while the earlier one is
 * held, or cannot be reached.
 */
function joinBoth(east: Registry, west: Registry, identity: string, clock: Clock): readonly Party[] {
  const first = join(east, identity, clock);
  const stop = new AbortController();
  const { leadership: one } = first;
  const leadership = new Leadership({
    leases: west.for(identity),
    name,
    identity,
    clock,
    changed: () => {},
    admits: () => one.leads || one.trouble !== undefined,
  });
  return [first, { leadership, stop, ended: leadership.run(stop.signal) }];
}

/** Lets ms of the clock pass. */
async function pass(clock: VirtualClock, ms: number): Promise<void> {
  await clock.sleep(ms, new AbortController().signal);
}

describe('a Lease', () => {
  it('is held by one, renewed every two seconds, and given back at the end', async () => {
    const registry = new Registry();
    const clock = new VirtualClock();
    const one = join(registry, 'one', clock);
    await pass(clock, 1);
    const two = join(registry, 'two', clock);
    await pass(clock, 60_000);
    expect([one.leadership.leads, two.leadership.leads]).to.deep.equal([true, false]);
    expect(two.leadership.holder).to.equal('one');
    expect(registry.lease).to.deep.include({ holder: 'one', duration: 15, transitions: 1 });
    expect(registry.writes).to.be.within(30, 36);
    one.stop.abort();
    await one.ended;
    expect(registry.lease.holder).to.equal(undefined);
    await pass(clock, 2500);
    expect([one.leadership.leads, two.leadership.leads]).to.deep.equal([false, true]);
    two.stop.abort();
    await two.ended;
  });

  it('of one who is cut off goes to the other after fifteen seconds, and it stops by itself after ten', async () => {
    const registry = new Registry();
    const clock = new VirtualClock();
    const heard: string[] = [];
    const one = join(registry, 'one', clock, () => heard.push(`one ${one.leadership.leads}`));
    await pass(clock, 1);
    const two = join(registry, 'two', clock);
    await pass(clock, 10_000);
    registry.cut.add('one');
    await pass(clock, 7000);
    expect([one.leadership.leads, two.leadership.leads]).to.deep.equal([true, false]);
    await pass(clock, 4000);
    expect([one.leadership.leads, two.leadership.leads]).to.deep.equal([false, false]);
    expect(one.leadership.trouble?.message).to.include('ECONNREFUSED');
    await pass(clock, 8000);
    expect([one.leadership.leads, two.leadership.leads]).to.deep.equal([false, true]);
    registry.cut.clear();
    await pass(clock, 5000);
    expect([one.leadership.leads, two.leadership.leads, one.leadership.trouble]).to.deep.equal([
      false,
      true,
      undefined,
    ]);
    expect(heard).to.deep.equal(['one true', 'one false']);
    for (const { stop } of [one, two]) stop.abort();
    await Promise.all([one.ended, two.ended]);
  });

  it('is told of at once when the server refuses it, and when it does not answer twice', async () => {
    const clock = new VirtualClock();
    const start = clock.now();
    const told: string[] = [];
    const stop = new AbortController();
    let failure: RequestError | undefined = new RequestError('get leases: HTTP 401: no', 'renew it', true);
    const registry = new Registry();
    const leases: Leases = {
      ...registry.for('one'),
      read: async (...words) => {
        if (failure !== undefined) throw failure;
        return registry.for('one').read(...words);
      },
    };
    const leadership = new Leadership({
      leases,
      name,
      identity: 'one',
      clock,
      changed: () => undefined,
      troubled: () => {
        const { message = 'none', advice = '' } = leadership.trouble ?? {};
        told.push(`${Math.round((clock.now() - start) / 1000)} ${message} ${advice}`.trim());
      },
    });
    const running = leadership.run(stop.signal);
    await pass(clock, 5000);
    failure = undefined;
    await pass(clock, 5000);
    failure = new RequestError('cannot reach the API', 'check', false);
    await pass(clock, 5000);
    stop.abort();
    await running;
    expect(told).to.deep.equal([
      '0 get leases: HTTP 401: no renew it',
      '5 none',
      '13 cannot reach the API check',
    ]);
  });

  it('that expires and is renewed before the next read counts as a new one', async () => {
    const registry = new Registry();
    const clock = new VirtualClock();
    const heard: string[] = [];
    const one = join(registry, 'one', clock, () => heard.push(`one ${one.leadership.leads}`));
    await pass(clock, 1);
    registry.cut.add('one');
    // Who looked now and then may have seen the end; the Leadership itself has not said so yet.
    while (one.leadership.leads) await pass(clock, 20);
    registry.cut.clear();
    await pass(clock, 2500);
    expect(one.leadership.leads).to.equal(true);
    expect(heard).to.deep.equal(['one true', 'one true']);
    one.stop.abort();
    await one.ended;
  });

  it('is taken up at once by the same one after a restart', async () => {
    const registry = new Registry();
    const clock = new VirtualClock();
    const one = join(registry, 'one', clock);
    await pass(clock, 1);
    registry.cut.add('one');
    one.stop.abort();
    await one.ended;
    registry.cut.clear();
    const again = join(registry, 'one', clock);
    await pass(clock, 1);
    expect(again.leadership.leads).to.equal(true);
    expect(registry.lease.transitions).to.equal(1);
    again.stop.abort();
    await again.ended;
  });

  it('is never held by two at once, whatever is cut off and whatever the clocks show', async () => {
    const cut = fc.record({
      who: fc.nat({ max: 2 }),
      on: fc.boolean(),
      after: fc.integer({ min: 1, max: 9000 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(cut, { maxLength: 12 }),
        fc.array(fc.integer({ min: -90_000, max: 90_000 }), { minLength: 3, maxLength: 3 }),
        async (cuts, skew) => {
          const registry = new Registry();
          const clock = new VirtualClock();
          const parties = ['a', 'b', 'c'].map((identity, i) =>
            join(registry, identity, {
              now: () => clock.now() + (skew[i] ?? 0),
              time: () => clock.now() + (skew[i] ?? 0),
              random: () => 0.5,
              sleep: (ms, signal) => clock.sleep(ms, signal),
            }),
          );
          for (const { who, on, after } of cuts) {
            const identity = ['a', 'b', 'c'][who] ?? '';
            if (on) registry.cut.add(identity);
            else registry.cut.delete(identity);
            for (let left = after; left > 0; left -= 500) {
              await pass(clock, Math.min(500, left));
              expect(parties.filter(({ leadership }) => leadership.leads).length).to.be.at.most(1);
            }
          }
          for (const { stop } of parties) stop.abort();
          await Promise.all(parties.map(({ ended }) => ended));
        },
      ),
      { numRuns: 30 },
    );
  });
});

describe('the Leases of two clusters', () => {
  it('come to one gateway, also when each held one', async () => {
    const clock = new VirtualClock();
    const [east, west] = [new Registry(), new Registry()];
    // gw1 reaches the west alone, gw2 the east alone.
    east.cut.add('gw1');
    west.cut.add('gw2');
    const one = joinBoth(east, west, 'gw1', clock);
    const two = joinBoth(east, west, 'gw2', clock);
    const leads = () =>
      [one, two].map((all) => all.map(({ leadership }) => Number(leadership.leads)).join(''));
    await pass(clock, 30_000);
    expect(leads()).to.deep.equal(['01', '10']);
    east.cut.clear();
    west.cut.clear();
    await pass(clock, 10_000);
    expect(leads()).to.deep.equal(['00', '11']);
    expect(west.lease.holder).to.equal('gw2');
    for (const { stop } of [...one, ...two]) stop.abort();
    await Promise.all([...one, ...two].map(({ ended }) => ended));
  });
});
