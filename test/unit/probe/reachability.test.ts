import { expect } from 'chai';
import { KernelError } from '../../../src/kernel/kernel.ts';
import type { NeighbourPort } from '../../../src/kernel/neighbour-port.ts';
import { type Ip, parseIp } from '../../../src/model/ip.ts';
import type { NeighbourState } from '../../../src/model/listing.ts';
import { Reachability } from '../../../src/probe/reachability.ts';
import type { Targets } from '../../../src/probe/targets.ts';
import { until } from './until.ts';

const lan = { index: 2, name: 'eth0' };

function targets(...last: readonly number[]): Targets {
  return { lan, nodes: last.map((n) => ({ node: `n${n}`, ip: ip(n) })) };
}

function ip(last: number): Ip {
  return parseIp(`10.0.0.${last}`);
}

/** A neighbour table that a test writes. */
class Table implements NeighbourPort {
  readonly table = new Map<Ip, NeighbourState>();
  readonly solicited = new Set<Ip>();
  readonly expired = new Set<Ip>();
  /** Whose states were read, in this order. */
  readonly reads: (readonly Ip[])[] = [];
  error: KernelError | undefined;
  /** Who was solicited, in this order. */
  log: Ip[] | undefined;
  /** A question makes INCOMPLETE of FAILED, as in Linux; else a test writes what comes of it. */
  asksAnew = false;
  readonly #told: (readonly Ip[] | 'unknown')[] = [];
  #wake = Promise.withResolvers<void>();

  async solicit(_link: number, ips: readonly Ip[]): Promise<void> {
    if (this.error) throw this.error;
    for (const each of ips) {
      this.solicited.add(each);
      if (this.asksAnew && this.table.get(each) === 'FAILED') this.table.set(each, 'INCOMPLETE');
    }
    this.log?.push(...ips);
  }

  async expire(_link: number, ips: readonly Ip[]): Promise<void> {
    for (const each of ips) {
      this.expired.add(each);
      // The kernel refuses it for one that has failed meanwhile.
      if (this.table.get(each) === 'REACHABLE') this.table.set(each, 'STALE');
    }
  }

  async states(_link: number, ips: readonly Ip[]): Promise<readonly (NeighbourState | undefined)[]> {
    this.reads.push(ips);
    if (this.error) throw this.error;
    return ips.map((each) => this.table.get(each));
  }

  tell(failed: readonly Ip[] | 'unknown'): void {
    this.#told.push(failed);
    this.#wake.resolve();
  }

  fail(...last: readonly number[]): void {
    for (const each of last) this.table.set(ip(each), 'FAILED');
    this.tell(last.map(ip));
  }

  async *failures(signal: AbortSignal): AsyncGenerator<readonly Ip[] | 'unknown'> {
    const aborted = new Promise<undefined>((resolve) =>
      signal.addEventListener('abort', () => resolve(undefined)),
    );
    while (!signal.aborted) {
      await Promise.race([this.#wake.promise, aborted]);
      this.#wake = Promise.withResolvers();
      yield* this.#told.splice(0);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** A probe for which no time passes. */
function probeOf(port: Table): Reachability {
  return new Reachability({
    port,
    every: () => 2,
    share: () => 0.5,
    clock: () => 0,
    time: () => 0,
    changed: () => undefined,
  });
}

/** Runs a probe until it has asked for the first time. */
async function untilAsked(probe: Reachability, port: Table): Promise<void> {
  const stop = new AbortController();
  const running = probe.run(stop.signal);
  await until('somebody is asked', () => port.solicited.size > 0);
  stop.abort();
  await running;
}

class World implements AsyncDisposable {
  readonly port = new Table();
  now = 0;
  /** ms that pass with every look of {@link until} */
  pace = 0;
  readonly probe: Reachability;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  constructor(nodes: readonly number[], dead: readonly number[] = []) {
    this.probe = new Reachability({
      port: this.port,
      every: () => 2,
      share: () => 0.5,
      clock: () => this.now,
      time: () => this.now,
      changed: () => undefined,
    });
    for (const node of nodes) this.port.table.set(ip(node), dead.includes(node) ? 'FAILED' : 'REACHABLE');
    this.probe.follow(targets(...nodes));
    this.#running = this.probe.run(this.#stop.signal);
  }

  /** Waits until these are silent and these codes are problems, while the time goes on. */
  async until(what: string): Promise<void> {
    const seen = (): string =>
      [
        ...[...this.probe.silent].map((one) => one.slice(7)),
        ...this.probe.problems.map(({ code }) => code),
      ].join(' ');
    await until(
      what || 'nobody is silent',
      () => seen() === what,
      () => {
        this.now += this.pace;
      },
    );
  }

  /** Waits until so many were asked in a whole turn that begins now: what they say was read. */
  async turn(count: number): Promise<readonly Ip[]> {
    const { solicited } = this.port;
    for (const _ of [1, 2]) {
      solicited.clear();
      await until(`${count} are asked`, () => solicited.size >= count);
    }
    return [...solicited];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }
}

describe('the probe of the nodes', () => {
  it('does not ask about an entry that somebody has fixed: the kernel would make an ordinary one of it', async () => {
    const port = new Table();
    port.table.set(ip(11), 'PERMANENT').set(ip(12), 'REACHABLE');
    const probe = probeOf(port);
    probe.follow(targets(11, 12));
    await untilAsked(probe, port);
    expect([...port.solicited]).to.deep.equal([ip(12)]);
  });

  it('ceases to ask about an entry when somebody fixes it, and asks again when it is an ordinary one', async () => {
    await using world = new World([11, 12]);
    const { port } = world;
    port.table.set(ip(11), 'PERMANENT');
    port.tell([ip(11)]);
    expect(await world.turn(1)).to.deep.equal([ip(12)]);
    port.table.set(ip(11), 'STALE');
    expect(await world.turn(2)).to.have.members([ip(11), ip(12)]);
  });

  it('asks nobody unread, also when nodes come while others are read', async () => {
    const port = new Table();
    port.table.set(ip(11), 'REACHABLE').set(ip(12), 'PERMANENT');
    const probe = probeOf(port);
    const states = port.states.bind(port);
    port.states = async (link, ips) => {
      probe.follow(both);
      return states(link, ips);
    };
    const both = targets(11, 12);
    probe.follow(targets(11));
    await untilAsked(probe, port);
    expect([...port.solicited]).to.deep.equal([ip(11)]);
  });

  it('has the kernel ask every node, again and again', async () => {
    await using world = new World([11, 12, 13]);
    const everyone = [11, 12, 13].map(ip);
    expect(await world.turn(3)).to.have.members(everyone);
    expect(await world.turn(3)).to.have.members(everyone);
  });

  it('names a node that failed, and knows when it is back', async () => {
    await using world = new World([11, 12, 13]);
    world.port.fail(12);
    await world.until('12 node-silent');
    // The next question makes the entry incomplete, and an unused one is forgotten: it is as silent as before.
    world.port.table.set(ip(12), 'INCOMPLETE');
    world.port.tell([ip(12)]);
    await world.until('12 node-silent');
    world.port.table.delete(ip(12));
    world.port.tell('unknown');
    await world.until('12 node-silent');
    world.port.table.set(ip(12), 'REACHABLE');
    world.pace = 50;
    await world.until('');
  });

  it('has heard everybody once each has answered or failed, and anew when the LAN is back', async () => {
    await using world = new World([11, 12]);
    await until('all are heard', () => world.probe.isHeard);
    // Who comes later keeps nothing back.
    world.probe.follow(targets(11, 12, 13));
    expect(world.probe.isHeard).to.equal(true);
    world.probe.follow({ lan: undefined, nodes: [] });
    expect(world.probe.isHeard).to.equal(false);
    world.port.table.clear();
    world.port.table.set(ip(11), 'REACHABLE');
    world.port.table.set(ip(12), 'INCOMPLETE');
    world.probe.follow(targets(11, 12));
    await world.turn(2);
    expect(world.probe.isHeard).to.equal(false);
    world.port.fail(12);
    await until('all are heard', () => world.probe.isHeard);
  });

  it('has heard nobody by what the kernel said before the LAN was lost', async () => {
    const port = new Table();
    port.table.set(ip(11), 'REACHABLE');
    const probe = probeOf(port);
    probe.follow(targets(11));
    const states = port.states.bind(port);
    const flap = Promise.withResolvers<void>();
    port.states = async (link, ips) => {
      const said = await states(link, ips);
      await flap.promise;
      return said;
    };
    const looking = probe.look(new AbortController().signal);
    probe.follow({ lan: undefined, nodes: [] });
    probe.follow(targets(11));
    flap.resolve();
    await looking;
    expect(probe.isHeard).to.equal(false);
  });

  it('holds nothing against a node that failed while the LAN was lost', async () => {
    for (const left of ['FAILED', 'INCOMPLETE'] as const) {
      await using world = new World([11, 12, 13]);
      await until('all are heard', () => world.probe.isHeard);
      world.probe.follow({ lan: undefined, nodes: [] });
      // Something else has asked for it all the time, and the last question goes on when the LAN is back.
      world.port.table.set(ip(13), left);
      world.port.asksAnew = true;
      world.probe.follow(targets(11, 12, 13));
      await world.turn(3);
      if (left === 'INCOMPLETE') world.port.fail(13);
      expect(world.probe.isHeard, left).to.equal(false);
      world.port.table.set(ip(13), 'REACHABLE');
      await until('all are heard', () => world.probe.isHeard);
      expect([...world.probe.silent], left).to.deep.equal([]);
    }
  });

  it('holds a failure against a node where the LAN was lost before, and is another interface now', async () => {
    const port = new Table();
    port.table.set(ip(11), 'FAILED');
    const probe = probeOf(port);
    const anew = { ...targets(11), lan: { index: 3, name: 'eth0' } };
    for (const each of [targets(11), { lan: undefined, nodes: [] }, targets(11), anew]) probe.follow(each);
    await untilAsked(probe, port);
    expect([...probe.unheard]).to.deep.equal([ip(11)]);
  });

  it('holds a failure against a node where the LAN was not there at first', async () => {
    const port = new Table();
    port.table.set(ip(11), 'FAILED');
    const probe = probeOf(port);
    for (const each of [{ lan: undefined, nodes: [], isPartial: true } as const, targets(11)])
      probe.follow(each);
    await untilAsked(probe, port);
    expect([...probe.unheard]).to.deep.equal([ip(11)]);
  });

  it('goes by nothing that was read of the former interface', async () => {
    const port = new Table();
    const probe = probeOf(port);
    port.states = async (link) => {
      probe.follow({ ...targets(11), lan: { index: 3, name: 'eth0' } });
      return [link === 2 ? 'FAILED' : 'REACHABLE'];
    };
    probe.follow(targets(11));
    await untilAsked(probe, port);
    expect([...probe.hosts].map(([, { state }]) => state)).to.deep.equal(['REACHABLE']);
    expect([...probe.unheard]).to.deep.equal([]);
  });

  it('has not heard everybody while some cannot be asked yet', async () => {
    await using world = new World([11]);
    await until('all are heard', () => world.probe.isHeard);
    world.probe.follow({ lan: undefined, nodes: [] });
    world.probe.follow({ ...targets(11), isPartial: true });
    await world.turn(1);
    expect(world.probe.isHeard).to.equal(false);
    world.port.table.set(ip(12), 'REACHABLE');
    world.probe.follow(targets(11, 12));
    await until('all are heard', () => world.probe.isHeard);
  });

  it('has heard nobody whom it has not asked, and keeps nothing back while the kernel cannot be asked', async () => {
    await using world = new World([11]);
    await until('all are heard', () => world.probe.isHeard);
    world.probe.follow({ lan: undefined, nodes: [] });
    world.port.error = new KernelError('EPERM', '');
    world.probe.follow(targets(11));
    expect(world.probe.isHeard).to.equal(false);
    await until('it goes on', () => world.probe.isHeard);
  });

  it('has the kernel ask those that are reachable by a timer from before, at the start and again and again', async () => {
    await using world = new World([11, 12, 13]);
    world.port.table.set(ip(13), 'PERMANENT');
    const expired = (...last: readonly number[]): Promise<void> =>
      until(`${last} have expired`, () => last.every((each) => world.port.expired.has(ip(each))));
    await expired(11, 12);
    world.port.expired.clear();
    world.port.table.set(ip(12), 'REACHABLE');
    await expired(12);
    expect([...world.port.expired]).to.deep.equal([ip(12)]);
  });

  it('believes a failure although the kernel asks again by the time that its table is read', async () => {
    await using world = new World([11, 12, 13]);
    world.port.table.set(ip(12), 'INCOMPLETE');
    world.port.tell([ip(12)]);
    await world.until('12 node-silent');
  });

  it('takes a node back that has answered for a second, and not one that answers now and then', async () => {
    await using world = new World([11, 12, 13]);
    world.port.fail(12);
    await world.until('12 node-silent');
    for (let times = 0; times < 3; times += 1) {
      world.port.table.set(ip(12), 'REACHABLE');
      await world.turn(3);
      world.now += 900;
      await world.turn(3);
      world.port.table.set(ip(12), 'FAILED');
      await world.turn(3);
      expect([...world.probe.silent]).to.deep.equal([ip(12)]);
    }
    world.port.table.set(ip(12), 'REACHABLE');
    await world.turn(3);
    world.now += 1000;
    await world.until('');
  });

  it('holds a node that flaps out longer each time, and names it', async () => {
    await using world = new World([11, 12, 13]);
    world.pace = 50;
    world.port.fail(12);
    await world.until('12 node-silent');
    world.port.table.set(ip(12), 'REACHABLE');
    await world.until('');
    world.port.fail(12);
    await world.until('12 node-silent node-flaps');
    const since = world.now;
    world.port.table.set(ip(12), 'REACHABLE');
    await world.until('node-flaps');
    const { silent } = world.probe;
    expect(world.now - since).to.be.at.least(2000);
    expect(world.probe.problems[0]?.message).to.include('node n12 fell silent at 10.0.0.12 on eth0 2 times');
    // Time that nobody saw is not believed, so it takes many looks.
    world.pace = 1000;
    await world.until('');
    expect(world.probe.silent, 'the same set').to.equal(silent);
    expect(world.now - since).to.be.at.least(300_000);
  });

  it('shows every host when it is asked to look, once a second at most', async () => {
    await using world = new World([11, 12]);
    const states = (): string[] => [...world.probe.hosts.values()].map(({ state }) => state);
    const look = (): Promise<void> => world.probe.look(new AbortController().signal);
    for (const node of [11, 12]) world.port.table.set(ip(node), 'DELAY');
    world.now = 5000;
    await look();
    expect(states()).to.deep.equal(['DELAY', 'DELAY']);
    world.port.table.set(ip(12), 'STALE');
    await look();
    expect(states()).to.deep.equal(['DELAY', 'DELAY']);
    world.now += 1000;
    await look();
    expect(states()).to.deep.equal(['DELAY', 'STALE']);
    world.port.fail(11, 12);
    await world.until('probe-doubted');
    expect([world.probe.silent.size, [...world.probe.unheard]]).to.deep.equal([0, [ip(11), ip(12)]]);
  });

  it('shows the hosts that came since, and reads them once for all who look', async () => {
    const port = new Table();
    port.table.set(ip(11), 'STALE').set(ip(12), 'DELAY');
    const probe = probeOf(port);
    const look = (): Promise<void> => probe.look(new AbortController().signal);
    probe.follow(targets(11));
    await Promise.all([look(), look()]);
    expect([...probe.hosts.keys()]).to.deep.equal([ip(11)]);
    expect(port.reads).to.have.length(1);
    probe.follow(targets(11, 12));
    await look();
    expect([...probe.hosts.keys()]).to.deep.equal([ip(11), ip(12)]);
  });

  it('reads nobody in most turns while everybody answers, and never a host that is none of the nodes', async () => {
    await using world = new World([11, 12]);
    const { port } = world;
    await until('all are heard', () => world.probe.isHeard);
    port.tell([ip(99)]);
    await world.turn(2);
    expect(port.reads.filter((ips) => ips.length === 0 || ips.includes(ip(99)))).to.deep.equal([]);
  });

  it('reads each host once, however often the LAN came and went since the last turn', async () => {
    const port = new Table();
    const probe = probeOf(port);
    for (const _ of [1, 2, 3]) {
      probe.follow(targets(11, 12));
      probe.follow({ lan: undefined, nodes: [] });
    }
    probe.follow(targets(12, 13));
    probe.follow(targets(12));
    await untilAsked(probe, port);
    expect(port.reads[0]).to.deep.equal([ip(12)]);
  });

  it('reads those in every turn that it has not heard yet', async () => {
    const port = new Table();
    port.table.set(ip(11), 'INCOMPLETE');
    port.log = [];
    const { log } = port;
    const probe = probeOf(port);
    probe.follow(targets(11));
    const stop = new AbortController();
    const running = probe.run(stop.signal);
    await until('it was asked for long', () => log.length > 66);
    port.table.set(ip(11), 'REACHABLE');
    const before = log.length;
    await until('it is heard', () => probe.isHeard);
    expect(log.length - before).to.be.below(5);
    stop.abort();
    await running;
  });

  it('goes by what the kernel says now, not by what it said while nobody listened', async () => {
    await using world = new World([11, 12, 13]);
    // The daemon was stopped: it hears of a failure that is long over.
    world.now += 5000;
    world.port.tell([ip(12), ip(13)]);
    world.port.fail(11);
    await world.until('11 node-silent');
  });

  it('reads everybody when notifications were lost', async () => {
    await using world = new World([11, 12, 13]);
    await world.until('');
    world.port.table.set(ip(13), 'FAILED');
    world.port.tell('unknown');
    await world.until('13 node-silent');
  });

  it('knows who was silent before it came', async () => {
    await using world = new World([11, 12, 13, 14, 15], [11, 12, 13]);
    await world.until('11 12 13 node-silent node-silent node-silent');
  });

  it('leaves nobody out when nobody answers, and says so', async () => {
    await using world = new World([11, 12, 13]);
    world.port.fail(11, 12, 13);
    await world.until('probe-doubted');
    expect(world.probe.problems[0]?.message).to.include(
      'none of the 3 nodes answers ARP on eth0 (n11, n12, n13)',
    );
    world.port.table.set(ip(11), 'REACHABLE');
    world.port.table.set(ip(12), 'REACHABLE');
    world.pace = 50;
    await world.until('13 node-silent');
  });

  it('leaves out nobody who has not come back yet, after nobody answered for long', async () => {
    await using world = new World([11, 12, 13]);
    /** Time that nobody looks at is not believed. */
    const pass = async (seconds: number): Promise<void> => {
      for (let second = 0; second < seconds; second += 1) {
        world.now += 1000;
        await world.turn(3);
        expect([...world.probe.silent]).to.deep.equal([]);
      }
    };
    world.port.fail(11, 12, 13);
    await world.until('probe-doubted');
    await pass(15);
    for (const node of [11, 12]) {
      world.port.table.set(ip(node), 'REACHABLE');
      await pass(4);
      expect(world.probe.problems[0]?.message).to.include(`${13 - node} of 3 nodes do not answer ARP`);
    }
    world.port.table.set(ip(13), 'REACHABLE');
    await pass(2);
    expect(world.probe.problems).to.deep.equal([]);
  });

  it('doubts too many at once for ten seconds', async () => {
    await using world = new World([11, 12, 13]);
    world.port.fail(11, 12);
    await world.until('probe-doubted');
    for (let second = 0; second < 9; second += 1) {
      world.now += 1000;
      world.port.tell('unknown');
      await world.turn(3);
      expect([...world.probe.silent]).to.deep.equal([]);
    }
    world.pace = 1000;
    await world.until('11 12 node-silent node-silent');
  });

  it('forgets a node that is no target, and everybody when the LAN is gone', async () => {
    await using world = new World([11, 12, 13]);
    world.port.fail(12);
    await world.until('12 node-silent');
    world.probe.follow(targets(11, 13));
    await world.until('');
    world.probe.follow(targets(11, 12, 13));
    world.port.fail(12);
    await world.until('12 node-silent');
    world.probe.follow({ lan: undefined, nodes: [] });
    await world.until('');
  });

  it('leaves nobody out while the kernel cannot be read', async () => {
    await using world = new World([11, 12, 13]);
    world.port.fail(12);
    await world.until('12 node-silent');
    world.port.error = new KernelError('ENOBUFS', 'no memory');
    await world.until('probe-blind');
    expect([...world.probe.unheard]).to.deep.equal([]);
    world.port.error = undefined;
    world.port.fail(12);
    await world.until('12 node-silent');
  });

  it('ends a problem in the next turn once it is over, though nobody is read in most turns', async () => {
    await using world = new World([11, 12]);
    const { port } = world;
    await until('all are heard', () => world.probe.isHeard);
    port.log = [];
    const { log } = port;
    await until('looks at all are rare', () => log.length > 2 * 65);
    // Asked once, and no more.
    port.error = new KernelError('ENOBUFS', 'no memory');
    await world.until('probe-blind');
    port.error = undefined;
    log.length = 0;
    await world.until('');
    expect(log.length).to.be.at.most(2 * 3);
  });

  it('doubts nobody for what was before the kernel could not be read', async () => {
    await using world = new World([11, 12, 13]);
    world.port.fail(11, 12);
    await world.until('probe-doubted');
    world.port.error = new KernelError('ENOBUFS', 'no memory');
    await world.until('probe-blind');
    world.port.table.set(ip(11), 'REACHABLE');
    world.port.error = undefined;
    await world.until('12 node-silent');
  });

  it('has those asked that became reachable by a timer from before, soon after the start', async () => {
    const port = new Table();
    port.table.set(ip(11), 'STALE');
    const asked: Ip[] = [];
    port.log = asked;
    const probe = probeOf(port);
    probe.follow(targets(11));
    const stop = new AbortController();
    const running = probe.run(stop.signal);
    await until('it is asked', () => asked.length > 0);
    // The timers of the kernel are set only now.
    port.table.set(ip(11), 'REACHABLE');
    await until('it has to answer anew', () => port.expired.has(ip(11)));
    expect(asked.length).to.be.below(60);
    // And after one that comes later.
    await until('it was asked for long', () => asked.length > 66);
    port.table.set(ip(12), 'STALE');
    probe.follow(targets(11, 12));
    await until('the other is asked', () => asked.includes(ip(12)));
    port.table.set(ip(12), 'REACHABLE');
    await until('the other has to answer anew', () => port.expired.has(ip(12)));
    expect(asked.filter((each) => each === ip(12)).length).to.be.below(30);
    stop.abort();
    await running;
  });

  it('asks the IPv6 addresses of many nodes seldom, and at once when the same node falls silent by IPv4', async () => {
    const port = new Table();
    const six = (i: number): Ip => parseIp(`2001:db8:10::${i.toString(16)}`);
    const nodes = Array.from({ length: 600 }, (_, i) => [
      { node: `n${i}`, ip: parseIp(`10.0.${i >> 8}.${i & 255}`) },
      { node: `n${i}`, ip: six(i + 1) },
    ]).flat();
    for (const { ip: each } of nodes) port.table.set(each, 'REACHABLE');
    const probe = probeOf(port);
    probe.follow({ lan, nodes });
    const stop = new AbortController();
    const running = probe.run(stop.signal);
    await until('everybody has answered', () => probe.isHeard);
    /** Questions to IPv6 addresses between two to the same address of IPv4. */
    const asked: Ip[] = [];
    port.log = asked;
    const first = nodes[0]?.ip ?? ip(0);
    await until('four turns are over', () => asked.filter((each) => each === first).length >= 5);
    const turns = asked.slice(asked.indexOf(first), asked.lastIndexOf(first));
    const bySix = turns.filter((each) => each.includes(':')).length;
    expect(turns.length - bySix).to.be.at.least(4 * 600);
    expect(bySix).to.be.within(4 * 50, (turns.filter((each) => each === first).length + 1) * 60);
    port.expired.clear();
    const silent = nodes[700]?.ip ?? ip(0);
    port.table.set(silent, 'FAILED');
    port.tell([silent]);
    await until('the other address has to answer anew', () => port.expired.has(six(351)));
    asked.length = 0;
    await until('two turns are over', () => asked.filter((each) => each === first).length >= 3);
    expect(asked.filter((each) => each === six(351)).length).to.be.at.least(2);
    // Not one that somebody has fixed.
    port.table.set(six(353), 'PERMANENT');
    port.tell('unknown');
    await until('it is read', () => probe.hosts.get(six(353))?.state === 'PERMANENT');
    port.expired.clear();
    for (const each of [704, 706]) {
      const other = nodes[each]?.ip ?? ip(0);
      port.table.set(other, 'FAILED');
      port.tell([other]);
    }
    await until('the other address has to answer anew', () => port.expired.has(six(354)));
    expect(port.expired.has(six(353))).to.equal(false);
    stop.abort();
    await running;
  });
});
