import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import fc from 'fast-check';
import { rawNode, rawService, rawSlice } from '../../../lab/cluster/manifests.ts';
import { memoryCluster } from '../../../lab/fake/memory-cluster.ts';
import type { Clock } from '../../../src/cluster/clock.ts';
import { logLine, readLog } from '../../../src/cluster/cluster-log.ts';
import { everything, nothing } from '../../../src/cluster/delta.ts';
import { readObjects } from '../../../src/cluster/document.ts';
import { encodeNode, encodeService } from '../../../src/cluster/encode.ts';
import { fileCluster } from '../../../src/cluster/file.ts';
import { resourceOf } from '../../../src/cluster/raw.ts';
import { remembered } from '../../../src/cluster/remembered.ts';
import { ClusterStore } from '../../../src/cluster/store.ts';
import type { Delta, Endpoint, Node, Service, Texts } from '../../../src/model/cluster.ts';
import { compareIp, type Ip, ipFromBytes } from '../../../src/model/ip.ts';
import { until } from '../../contract/until.ts';

async function place(): Promise<AsyncDisposable & { folder: string; file: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'eiproute-remembered-'));
  return {
    folder,
    file: join(folder, 'state', 'cluster.json'),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}

const world = [
  rawNode('n1', { labels: { 'node.kubernetes.io/exclude-from-external-load-balancers': 'false' } }),
  rawService('web'),
  rawSlice('web', [{ ip: '10.1.0.1', node: 'n1' }]),
];

/** Runs long enough to save what it is given. */
async function save(file: string, objects: readonly object[] = world): Promise<void> {
  const source = memoryCluster();
  source.set(...objects);
  source.complete();
  await using cluster = remembered(source, file);
  cluster.snapshot();
}

async function saved(file: string): Promise<number> {
  return readObjects(await readFile(file, 'utf8')).services.length;
}

/** A clock whose pauses last until the test ends them. */
class Pauses implements Clock {
  #begun: { readonly ms: number; readonly end: () => void }[] = [];
  #waiting: (() => void) | undefined;

  now(): number {
    return 0;
  }

  time(): number {
    return 0;
  }

  random(): number {
    return 0;
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason));
      this.#begun.push({ ms, end: resolve });
      this.#waiting?.();
    });
  }

  /** @returns ms of the pause that is going on, or begins next */
  async next(): Promise<number> {
    while (this.#begun.length === 0) {
      await new Promise<void>((resolve) => {
        this.#waiting = resolve;
      });
    }
    return this.#begun[0]?.ms ?? 0;
  }

  end(): void {
    this.#begun.shift()?.end();
  }

  /** Ends the pause that is going on or begins next, and waits for the one after it. */
  async tick(): Promise<void> {
    await this.next();
    this.end();
    await this.next();
  }
}

/** A clock that plays looks at the source; nothing is saved meanwhile. */
function looks(pauses: Pauses): Clock {
  const never = new Pauses();
  return {
    now: () => 0,
    time: () => 0,
    random: () => 0,
    sleep: (ms, signal) => (ms < 1000 ? pauses : never).sleep(ms, signal),
  };
}

describe('the remembered cluster', () => {
  it('gives back what was known, not complete, until the real source is', async () => {
    await using at = await place();
    await save(at.file);
    const source = memoryCluster();
    await using cluster = remembered(source, at.file);
    const first = cluster.snapshot();
    expect(first.complete).to.equal(false);
    expect(first.services.map(({ name, uid }) => `${name} ${uid}`)).to.deep.equal(['web uid-web']);
    expect(first.services[0]?.endpoints.map(({ node }) => node)).to.deep.equal(['n1']);
    expect(first.nodes[0]?.excludeLabel).to.equal('false');
    expect(cluster.snapshot(), 'the same while nothing changed').to.equal(first);

    source.set(rawService('other'));
    expect(cluster.snapshot().services, 'a part of a new list is not the truth').to.equal(first.services);
    source.trouble('nodes', 'connect ECONNREFUSED');
    expect(cluster.snapshot().feeds[2]?.trouble).to.equal('connect ECONNREFUSED');

    source.complete();
    const live = cluster.snapshot();
    expect(live).to.include({ complete: true });
    expect(live.services.map(({ name }) => name)).to.deep.equal(['other']);
    expect(live).to.equal(source.snapshot());
  });

  it('shows what was known through every reader, and yields "all" when the real source is complete', async () => {
    await using at = await place();
    await save(at.file);
    const source = memoryCluster();
    await using cluster = remembered(source, at.file);
    const stop = new AbortController();
    const changes = cluster.changes(stop.signal)[Symbol.asyncIterator]();
    source.set(rawService('other'), rawNode('n7'));
    expect((await changes.next()).value).to.deep.include({ services: new Set(), nodes: false });
    expect([...cluster.services()].map(({ name }) => name)).to.deep.equal(['web']);
    expect(cluster.service('default/web')?.uid).to.equal('uid-web');
    expect(cluster.service('default/other')).to.equal(undefined);
    expect(cluster.overview().nodes.map(({ name }) => name)).to.deep.equal(['n1']);
    source.complete();
    expect((await changes.next()).value).to.deep.include({ services: 'all', nodes: true });
    expect([...cluster.services()].map(({ name }) => name)).to.deep.equal(['other']);
    expect(cluster.service('default/web')).to.equal(undefined);
    expect(cluster.overview().nodes.map(({ name }) => name)).to.deep.equal(['n7']);
    source.set(rawService('third'));
    expect((await changes.next()).value).to.deep.include({ services: new Set(['default/third']) });
    stop.abort();
  });

  it('yields "all" to those who listened before, when a reader finds the real source complete', async () => {
    await using at = await place();
    await save(at.file);
    const source = memoryCluster();
    await using cluster = remembered(source, at.file);
    const stop = new AbortController();
    const early = cluster.changes(stop.signal)[Symbol.asyncIterator]();
    source.complete();
    expect(cluster.overview().complete).to.equal(true);
    const late = cluster.changes(stop.signal)[Symbol.asyncIterator]();
    expect((await early.next()).value).to.deep.include({ services: 'all', nodes: true });
    source.set(rawService('next'));
    expect((await late.next()).value).to.deep.include({ services: new Set(['default/next']), nodes: false });
    stop.abort();
  });

  it('passes changes on at once, also while it waits to save', async () => {
    await using at = await place();
    const source = memoryCluster();
    await using cluster = remembered(source, at.file, { every: 3_600_000 });
    source.complete();
    for (const name of ['a', 'b', 'c']) {
      source.set(rawService(name));
      await until(cluster, ({ services }) => services.some((service) => service.name === name));
    }
  });

  it('saves a while after a change, once for all that came meanwhile, and the last state when it stops', async () => {
    await using at = await place();
    const source = memoryCluster();
    const pauses = new Pauses();
    const cluster = remembered(source, at.file, { clock: pauses });
    source.set(...world);
    source.complete();
    expect(await pauses.next()).to.equal(5000);
    expect(await readdir(at.folder), 'before the pause is over').to.deep.equal([]);
    source.set(rawService('next'));
    await pauses.tick();
    expect(await saved(at.file)).to.equal(2);
    source.set(rawService('late'));
    await cluster[Symbol.asyncDispose]();
    expect(await saved(at.file), 'after the end').to.equal(3);
    expect(await readdir(join(at.folder, 'state'))).to.deep.equal(['cluster.json']);
  });

  it('keeps what was known while what the source says is not believed', async () => {
    await using at = await place();
    await save(at.file);
    const source = memoryCluster();
    const pauses = new Pauses();
    let believed = false;
    const cluster = remembered(source, at.file, { clock: pauses, believed: () => believed });
    source.complete();
    await pauses.tick();
    expect(await saved(at.file), 'an empty list that is doubted').to.equal(1);
    const stopped = remembered(source, at.file, { clock: new Pauses(), believed: () => false });
    await stopped[Symbol.asyncDispose]();
    expect(await saved(at.file), 'not even at the end').to.equal(1);
    believed = true;
    await pauses.tick();
    expect(await saved(at.file), 'it was true after all').to.equal(0);
    await cluster[Symbol.asyncDispose]();
  });

  it('saves nothing that is not complete', async () => {
    await using at = await place();
    await save(at.file);
    const before = await readFile(at.file, 'utf8');
    const source = memoryCluster();
    await using cluster = remembered(source, at.file, { every: 1 });
    source.set(rawService('half'));
    await until(cluster, () => true);
    await cluster[Symbol.asyncDispose]();
    expect(await readFile(at.file, 'utf8')).to.equal(before);
  });

  it('writes a file that can be a source itself', async () => {
    await using at = await place();
    await save(at.file);
    await using cluster = fileCluster(at.file);
    const { services } = await until(cluster, ({ complete }) => complete);
    expect(services).to.have.length(1);
  });

  it('reads the List that earlier versions wrote, and replaces it by a log', async () => {
    await using at = await place();
    const list = {
      apiVersion: 'v1',
      kind: 'List',
      metadata: { annotations: { 'eiproute.io/version': '1' } },
      items: world,
    };
    await mkdir(dirname(at.file));
    await writeFile(at.file, JSON.stringify(list));
    const source = memoryCluster();
    const cluster = remembered(source, at.file);
    expect(cluster.service('default/web')?.endpoints).to.have.length(1);
    expect(cluster.overview().problems).to.deep.equal([]);
    source.set(...world, rawService('next'));
    source.complete();
    await cluster[Symbol.asyncDispose]();
    expect(await readFile(at.file, 'utf8')).to.match(/^eiproute-cluster-log 2\n/);
    expect(await saved(at.file)).to.equal(2);
  });

  it('uses what was saved before a record that was cut off', async () => {
    await using at = await place();
    await save(at.file, [...world, rawService('zzz')]);
    const text = await readFile(at.file);
    await writeFile(at.file, text.subarray(0, -40));
    await using cluster = remembered(memoryCluster(), at.file);
    expect([...cluster.services()].map(({ name }) => name)).to.deep.equal(['web']);
    expect(cluster.overview().problems).to.deep.equal([]);
  });

  it('uses what is not damaged, with a problem', async () => {
    await using at = await place();
    await save(at.file, [...world, rawService('zzz')]);
    const text = await readFile(at.file, 'utf8');
    await writeFile(at.file, text.replace('"name":"web"', '"name":"weB"'));
    await using cluster = remembered(memoryCluster(), at.file);
    expect([...cluster.services()].map(({ name }) => name)).to.deep.equal(['zzz']);
    const [problem] = cluster.overview().problems;
    expect(problem).to.include({ code: 'remembered-cluster-unreadable', subject: at.file });
    expect(problem?.message).to.contain('1 of its lines are damaged; the rest is used');
  });

  it('knows all of a cluster with a Service whose source ranges cannot be read, and which lets nobody in', async () => {
    await using at = await place();
    const closed = rawService('closed', { spec: { loadBalancerSourceRanges: ['010.0.0.0/8'] } });
    await save(at.file, [...world, closed]);
    await using cluster = remembered(memoryCluster(), at.file);
    expect([...cluster.services()].map(({ name }) => name).sort()).to.deep.equal(['closed', 'web']);
    expect(cluster.service('default/closed')?.sourceRanges).to.deep.equal([]);
    expect(cluster.overview().problems).to.deep.equal([]);
  });

  describe('whose file is read when it is needed', () => {
    const reads = 'when needed';

    it('knows nothing, and does not look into the file, when all lists come in', async () => {
      await using at = await place();
      await save(at.file);
      await writeFile(at.file, 'garbage');
      const source = memoryCluster();
      const pauses = new Pauses();
      await using cluster = remembered(source, at.file, { reads, clock: looks(pauses) });
      const stop = new AbortController();
      const changes = cluster.changes(stop.signal)[Symbol.asyncIterator]();
      source.set(rawService('other'), rawNode('n7'));
      expect((await changes.next()).value, 'a part of a list').to.deep.include(nothing);
      for (let look = 1; look <= 9; look += 1) await pauses.tick();
      const before = cluster.snapshot();
      expect(before).to.deep.include({ complete: false, services: [], nodes: [], problems: [] });
      expect(before).not.to.have.property('remembered');
      expect(cluster.service('default/other')).to.equal(undefined);
      source.complete();
      expect((await changes.next()).value).to.deep.include({ services: 'all', nodes: true });
      expect(cluster.snapshot()).to.equal(source.snapshot());
      stop.abort();
    });

    it('shows it when a list has failed, until all are in', async () => {
      await using at = await place();
      await save(at.file);
      const source = memoryCluster();
      const pauses = new Pauses();
      await using cluster = remembered(source, at.file, { reads, clock: looks(pauses) });
      const stop = new AbortController();
      const changes = cluster.changes(stop.signal)[Symbol.asyncIterator]();
      expect(cluster.snapshot().services).to.deep.equal([]);
      source.set(rawService('other'));
      source.trouble('nodes', 'connect ECONNREFUSED');
      await changes.next();
      await pauses.next();
      pauses.end();
      expect((await changes.next()).value).to.deep.include({ services: 'all', nodes: true });
      const { services, nodes, complete, remembered: isRemembered } = cluster.snapshot();
      expect(services.map(({ name }) => name)).to.deep.equal(['web']);
      expect(nodes.map(({ name }) => name)).to.deep.equal(['n1']);
      expect({ complete, isRemembered }).to.deep.equal({ complete: false, isRemembered: true });
      // It answers late.
      source.trouble('nodes', undefined);
      expect(cluster.overview().remembered).to.equal(true);
      source.complete();
      expect(cluster.snapshot()).to.equal(source.snapshot());
      stop.abort();
    });

    it('shows it after a second of silence', async () => {
      await using at = await place();
      await save(at.file);
      const pauses = new Pauses();
      await using cluster = remembered(memoryCluster(), at.file, { reads, clock: looks(pauses) });
      for (let look = 1; look <= 9; look += 1) await pauses.tick();
      expect(cluster.overview().remembered).to.equal(undefined);
      pauses.end();
      await until(cluster, ({ services }) => services.length === 1);
      expect(cluster.overview().remembered).to.equal(true);
    });

    it('shows what is listed when there is no file, as far as it is known', async () => {
      await using at = await place();
      const source = memoryCluster();
      const pauses = new Pauses();
      await using cluster = remembered(source, at.file, { reads, clock: looks(pauses) });
      source.set(rawService('other'));
      source.trouble('nodes', 'HTTP 403');
      await pauses.next();
      pauses.end();
      const { problems } = await until(cluster, ({ services }) => services.length === 1);
      expect(problems).to.deep.equal([]);
    });

    it('never shows it when the lists come in while it is read', async () => {
      await using at = await place();
      await save(at.file, [...world, ...Array.from({ length: 1000 }, (_, i) => rawService(`s${i}`))]);
      const source = memoryCluster();
      const pauses = new Pauses();
      await using cluster = remembered(source, at.file, { reads, clock: looks(pauses) });
      const seen = new Set<unknown>();
      const stop = new AbortController();
      const reading = (async () => {
        for await (const _ of cluster.changes(stop.signal)) seen.add(cluster.overview().remembered);
      })();
      source.trouble('nodes', 'connect ECONNREFUSED');
      await pauses.next();
      pauses.end();
      // It takes more turns than these to read a thousand Services.
      for (let turns = 0; turns < 3; turns += 1) await turn();
      source.set(rawService('other'));
      source.complete();
      await until(cluster, ({ complete }) => complete);
      for (let turns = 0; turns < 50; turns += 1) await turn();
      stop.abort();
      await reading;
      expect([...seen]).to.deep.equal([undefined]);
      expect([...cluster.services()].map(({ name }) => name)).to.deep.equal(['other']);
    });

    it('leaves the file as it is when it ends before the lists are in', async () => {
      await using at = await place();
      await save(at.file);
      const before = await readFile(at.file, 'utf8');
      const cluster = remembered(memoryCluster(), at.file, { reads, clock: looks(new Pauses()) });
      await cluster[Symbol.asyncDispose]();
      expect(await readFile(at.file, 'utf8')).to.equal(before);
    });

    it('replaces it as soon as a round has withdrawn something, and adds to it from then on', async () => {
      await using at = await place();
      await save(at.file, [...world, rawService('other')]);
      const source = memoryCluster();
      source.set(rawNode('n1'), rawService('other'));
      await using cluster = remembered(source, at.file, { reads, clock: looks(new Pauses()) });
      const delta: Delta = { ...nothing, services: new Set(['default/web']) };
      await cluster.save(delta);
      expect(await saved(at.file), 'before all lists are in').to.equal(2);
      source.complete();
      await cluster.save(delta);
      expect(await saved(at.file)).to.equal(1);
      const { size } = await stat(at.file);
      source.set(rawService('next'));
      await cluster.save({ ...nothing, services: new Set(['default/next']) });
      expect((await readFile(at.file)).subarray(size).toString()).to.match(
        /^\w+ \["Service","default\/next",.*\n$/,
      );
    });

    it('leaves the first log to a tick where there is no file', async () => {
      await using at = await place();
      const source = memoryCluster();
      source.set(...world);
      source.complete();
      await using cluster = remembered(source, at.file, { reads, clock: looks(new Pauses()) });
      await cluster.save(everything);
      expect(await readdir(at.folder)).to.deep.equal([]);
    });

    it('is continued where it was read, after its last whole record', async () => {
      await using at = await place();
      await save(at.file);
      await writeFile(at.file, Buffer.concat([await readFile(at.file), Buffer.from('half a rec')]));
      const source = memoryCluster();
      const pauses = new Pauses();
      await using cluster = remembered(source, at.file, { reads, clock: looks(pauses) });
      source.trouble('nodes', 'connect ECONNREFUSED');
      await pauses.next();
      pauses.end();
      await until(cluster, ({ services }) => services.length === 1);
      source.set(...world, rawService('next'));
      source.complete();
      await cluster.save({ ...nothing, services: new Set(['default/next']) });
      const { objects, damaged } = readLog(await readFile(at.file));
      expect(damaged).to.equal(0);
      expect(JSON.stringify([...objects])).to.contain('"next"');
    });
  });

  describe('when it crashes', () => {
    /** What a process would start with that finds the file as it is now, the API down. */
    async function afterCrash(file: string): Promise<readonly string[]> {
      await using cluster = remembered(memoryCluster(), file, { clock: new Pauses() });
      return [...cluster.services()].map(({ name }) => name).sort();
    }

    const delta = (...keys: readonly string[]): Delta => ({ ...nothing, services: new Set(keys) });

    it('has forgotten what a round has withdrawn, without a tick', async () => {
      await using at = await place();
      const source = memoryCluster();
      const pauses = new Pauses();
      source.set(...world, rawService('other'));
      source.complete();
      await using cluster = remembered(source, at.file, { clock: pauses });
      await pauses.tick();
      source.delete(rawService('web'));
      source.set(rawService('other', { eips: [] }));
      expect(await afterCrash(at.file), 'before the round').to.deep.equal(['other', 'web']);
      await cluster.save(delta('default/web', 'default/other'));
      expect(await afterCrash(at.file)).to.deep.equal(['other']);
      await using started = remembered(memoryCluster(), at.file, { clock: new Pauses() });
      expect(started.service('default/other')?.ingress).to.deep.equal([]);
    });

    it('has forgotten it also before the first tick after a start', async () => {
      await using at = await place();
      await save(at.file, [...world, rawService('other'), rawNode('n2')]);
      const source = memoryCluster();
      source.set(rawNode('n1'), rawService('other'));
      await using cluster = remembered(source, at.file, { clock: new Pauses() });
      await cluster.save({ ...delta('default/web'), nodes: true });
      expect(await afterCrash(at.file), 'before all lists are in').to.deep.equal(['other', 'web']);
      source.complete();
      await cluster.save({ ...delta('default/web'), nodes: true });
      expect(await afterCrash(at.file)).to.deep.equal(['other']);
      await using started = remembered(memoryCluster(), at.file, { clock: new Pauses() });
      expect(started.overview().nodes.map(({ name }) => name)).to.deep.equal(['n1']);
    });

    it('has forgotten what was deleted while it was down, once a round has acted on all lists', async () => {
      await using at = await place();
      await save(at.file);
      const source = memoryCluster();
      source.set(rawNode('n1'), rawService('other'));
      source.complete();
      await using cluster = remembered(source, at.file, { clock: new Pauses() });
      await cluster.save(everything);
      expect(await afterCrash(at.file)).to.deep.equal(['other']);
    });

    it('leaves the first log to a tick: nothing in it has to be undone', async () => {
      await using at = await place();
      const source = memoryCluster();
      const pauses = new Pauses();
      source.set(...world);
      source.complete();
      await using cluster = remembered(source, at.file, { clock: pauses });
      await cluster.save(everything);
      expect(await readdir(at.folder)).to.deep.equal([]);
      await pauses.tick();
      expect(await afterCrash(at.file)).to.deep.equal(['web']);
    });

    it('has each Service once after a round that was about most of them', async () => {
      await using at = await place();
      const services = Array.from({ length: 1000 }, (_, i) => rawService(`s${i}`));
      await save(at.file, [rawNode('n1'), ...services]);
      const source = memoryCluster();
      source.set(rawNode('n1'), ...services);
      source.complete();
      await using cluster = remembered(source, at.file, { clock: new Pauses() });
      const keys = services.map((_, i) => `default/s${i}`);
      await cluster.save(delta(...keys));
      const lines = (await readFile(at.file, 'utf8')).trimEnd().split('\n');
      expect(lines, 'a header, a Node and the Services').to.have.length(1002);
      await cluster.save(delta(...keys.slice(0, 300)));
      expect((await readFile(at.file, 'utf8')).trimEnd().split('\n')).to.have.length(1302);
    });

    it('still has what is doubted, and what came after the round', async () => {
      await using at = await place();
      const source = memoryCluster();
      const pauses = new Pauses();
      let believed = true;
      source.set(...world, rawService('other'));
      source.complete();
      await using cluster = remembered(source, at.file, { clock: pauses, believed: () => believed });
      await pauses.tick();
      source.delete(rawService('web'), rawService('other'));
      believed = false;
      await cluster.save(delta('default/web', 'default/other'));
      expect(await afterCrash(at.file), 'doubted').to.deep.equal(['other', 'web']);
      believed = true;
      await cluster.save(delta('default/web'));
      expect(await afterCrash(at.file), 'of the next round').to.deep.equal(['other']);
      pauses.end();
      await pauses.tick();
      expect(await afterCrash(at.file), 'two ticks later').to.deep.equal([]);
    });

    it('has what changed while it was saving', async () => {
      await using at = await place();
      const source = memoryCluster();
      const pauses = new Pauses();
      source.set(...world);
      source.complete();
      await using cluster = remembered(source, at.file, { clock: pauses });
      await pauses.tick();
      source.set(rawService('web', { eips: ['198.51.100.11'] }));
      const saving = cluster.save(delta('default/web'));
      await turn();
      source.delete(rawService('web'));
      await saving;
      await pauses.tick();
      await pauses.tick();
      expect(await afterCrash(at.file)).to.deep.equal([]);
    });

    it('has what changed before the last tick but one', async () => {
      await using at = await place();
      const source = memoryCluster();
      const pauses = new Pauses();
      source.set(...world);
      source.complete();
      await using _ = remembered(source, at.file, { clock: pauses });
      await pauses.tick();
      source.set(rawService('next'));
      await pauses.tick();
      expect(await afterCrash(at.file), 'no round may have judged it yet').to.deep.equal(['web']);
      await pauses.tick();
      expect(await afterCrash(at.file)).to.deep.equal(['next', 'web']);
    });
  });

  it('writes what has changed, not all that is known', async () => {
    await using at = await place();
    const source = memoryCluster();
    const pauses = new Pauses();
    source.set(...Array.from({ length: 500 }, (_, index) => rawService(`s${index}`)), ...world);
    source.complete();
    await using cluster = remembered(source, at.file, { clock: pauses });
    await pauses.tick();
    const { size } = await stat(at.file);
    source.set(rawService('s7', { eips: [] }));
    await cluster.save({ ...nothing, services: new Set(['default/s7']) });
    const after = (await stat(at.file)).size;
    expect(after - size).to.be.within(1, 2000);
    for (let tick = 0; tick < 2; tick += 1) {
      await pauses.tick();
    }
    expect((await stat(at.file)).size, 'not a second time').to.equal(after);
  });

  it('writes the lists of a start once', async () => {
    await using at = await place();
    const source = memoryCluster();
    const pauses = new Pauses();
    await using _ = remembered(source, at.file, { clock: pauses });
    source.set(...world);
    source.complete();
    await pauses.tick();
    const { size } = await stat(at.file);
    await pauses.tick();
    await pauses.tick();
    expect((await stat(at.file)).size).to.equal(size);
  });

  const garbage: readonly { name: string; content: (good: string) => string; says: RegExp }[] = [
    { name: 'is empty', content: () => '', says: /it is empty/ },
    { name: 'is binary', content: () => '\u0000\u0001\ufffd', says: /cannot be used/ },
    {
      name: 'is of another version',
      content: (good) => good.replace('log 2', 'log 9'),
      says: /begins with "eiproute-cluster-log 9", not with "eiproute-cluster-log 2"/,
    },
    { name: 'is a list of kubectl', content: () => '{"kind":"List","items":[]}', says: /version is missing/ },
    {
      name: 'has a Service that cannot be used',
      content: (good) => good + logLine('Service', 'default/x', [{ ...rawService('x'), spec: undefined }]),
      says: /skipped/,
    },
    {
      name: 'holds something else',
      content: (good) => good + logLine('Node', 'x', [{}]),
      says: /it holds \{\}/,
    },
  ];
  for (const { name, content, says } of garbage) {
    it(`starts from nothing, with a problem, when the file ${name}`, async () => {
      await using at = await place();
      await save(at.file);
      await writeFile(at.file, content(await readFile(at.file, 'utf8')));
      const source = memoryCluster();
      await using cluster = remembered(source, at.file, { every: 1 });
      const { services, problems, complete } = cluster.snapshot();
      expect({ services, complete }).to.deep.equal({ services: [], complete: false });
      expect(problems.map(({ code, subject }) => `${code} ${subject}`)).to.deep.equal([
        `remembered-cluster-unreadable ${at.file}`,
      ]);
      expect(problems[0]?.message).to.match(says);
      source.set(...world);
      source.complete();
      await until(cluster, (now) => now.problems.length === 0);
    });
  }

  it('says when it can not save, and works on', async () => {
    await using at = await place();
    await writeFile(join(at.folder, 'state'), 'a file where the folder should be');
    const source = memoryCluster();
    source.set(...world);
    source.complete();
    await using cluster = remembered(source, at.file, { every: 1 });
    const { problems, services } = await until(
      cluster,
      (now) => now.problems[0]?.code === 'cluster-not-remembered',
    );
    expect(problems[0]).to.include({ severity: 'warn', subject: at.file });
    expect(problems[0]?.message).to.match(/cannot be saved: (ENOTDIR|EEXIST)/);
    expect(services).to.have.length(1);
  });

  it('says nothing when there is no file yet', async () => {
    await using at = await place();
    await using cluster = remembered(memoryCluster(), at.file);
    expect(cluster.snapshot().problems).to.deep.equal([]);
  });
});

describe('what is encoded', () => {
  const ip = fc
    .oneof(
      fc.uint8Array({ minLength: 4, maxLength: 4 }),
      fc
        .uint8Array({ minLength: 12, maxLength: 12 })
        .map((tail) => Uint8Array.from([0x20, 0x01, 0x0d, 0xb8, ...tail])),
    )
    .map(ipFromBytes);
  const ips = fc.uniqueArray(ip, { maxLength: 3 }).map((list): readonly Ip[] => list.sort(compareIp));
  const name = fc.stringMatching(/^[a-z][a-z0-9]{0,5}$/);
  const port = fc.integer({ min: 1, max: 65_535 });
  const node: fc.Arbitrary<Node> = fc.record({
    name,
    uid: name,
    addresses: fc.uniqueArray(ip, { maxLength: 3 }),
    deleting: fc.boolean(),
    autoscalerDeletes: fc.boolean(),
    excludeLabel: fc.option(fc.constantFrom('', 'true', 'false'), { nil: undefined }),
    networkUnavailable: fc.boolean(),
    notReady: fc.boolean(),
    unschedulable: fc.boolean(),
    drain: fc.option(fc.constantFrom('', 'true', 'root@gw1'), { nil: undefined }),
  });
  const endpoint: fc.Arbitrary<Endpoint> = fc.record({
    ip,
    node: fc.option(name, { nil: undefined }),
    ready: fc.boolean(),
    serving: fc.boolean(),
    terminating: fc.boolean(),
  });
  const texts = (...names: readonly string[]): fc.Arbitrary<Texts> =>
    fc
      .tuple(fc.subarray([...names]), name)
      .map(([keys, value]) => Object.fromEntries(keys.map((key) => [key, value])));
  const bare: fc.Arbitrary<Omit<Service, 'key'>> = fc.record({
    namespace: name,
    name,
    uid: name,
    type: fc.constantFrom('ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'),
    deleting: fc.boolean(),
    loadBalancerClass: fc.option(fc.constant('eiproute.io/gateway'), { nil: undefined }),
    externalTrafficPolicy: fc.constantFrom('Cluster', 'Local'),
    healthCheckNodePort: fc.option(port, { nil: undefined }),
    ports: fc.array(
      fc.record({
        name: fc.constantFrom('', 'http'),
        protocol: fc.constantFrom('TCP', 'UDP', 'SCTP'),
        port,
        nodePort: fc.option(port, { nil: undefined }),
      }),
      { maxLength: 3 },
    ),
    ingress: ips,
    externalIps: ips,
    request: fc.record({
      created: fc.integer({ min: 0, max: 4_000_000_000_000 }),
      labels: texts('app', 'tier'),
      annotations: texts('eiproute.io/pool', 'metallb.io/allow-shared-ip'),
      selector: texts('app'),
      loadBalancerIp: fc.option(ip, { nil: undefined }),
      clusterIps: fc.uniqueArray(ip, { maxLength: 2 }),
      familyPolicy: fc.constantFrom('SingleStack', 'PreferDualStack', 'RequireDualStack'),
      finalizer: fc.boolean(),
      hostnames: fc.subarray(['a.example', 'b.example']),
      conditions: fc.array(
        fc.record({
          type: fc.constant('eiproute.io/Allocated'),
          status: fc.constantFrom('True', 'False', 'Unknown'),
          reason: name,
          message: name,
          lastTransitionTime: fc.constant('2026-01-02T03:04:05Z'),
        }),
        { maxLength: 1 },
      ),
    }),
    endpoints: fc
      .uniqueArray(endpoint, { maxLength: 4, selector: (each) => each.ip })
      .map((list) => list.sort((a, b) => compareIp(a.ip, b.ip))),
    slicesKnown: fc.boolean(),
  });
  const service = bare.map((one) => ({
    ...one,
    key: `${one.namespace}/${one.name}`,
    slicesKnown: one.slicesKnown || one.endpoints.length > 0,
  }));

  it('loses nothing on the way out and back in', () => {
    const byName = { selector: (each: { name: string }) => each.name, maxLength: 4 };
    fc.assert(
      fc.property(fc.uniqueArray(node, byName), fc.uniqueArray(service, byName), (nodes, services) => {
        const lines = [
          ...nodes.map((each) => logLine('Node', each.name, [encodeNode(each)])),
          ...services.map((each) => logLine('Service', each.key, encodeService(each))),
        ];
        const store = new ClusterStore();
        for (const object of readLog(Buffer.from(`eiproute-cluster-log 2\n${lines.join('')}`)).objects) {
          const resource = resourceOf(object);
          if (resource !== undefined) store.indexes[resource].set(object);
        }
        const found = store.snapshot();
        const order = (a: Service, b: Service) =>
          `${a.namespace}/${a.name}` < `${b.namespace}/${b.name}` ? -1 : 1;
        expect(found.services).to.deep.equal(services.toSorted(order));
        expect(found.nodes).to.deep.equal(nodes.toSorted((a, b) => (a.name < b.name ? -1 : 1)));
        expect(found.problems).to.deep.equal([]);
      }),
    );
  });
});
