import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { rawNode, rawService, rawSlice } from '../../../lab/cluster/manifests.ts';
import { type MemoryCluster, memoryCluster } from '../../../lab/fake/memory-cluster.ts';
import type { Cluster } from '../../../src/cluster/cluster.ts';
import { partOf, unionOf } from '../../../src/cluster/clusters.ts';
import { GrowingDelta } from '../../../src/cluster/delta.ts';
import { remembered } from '../../../src/cluster/remembered.ts';
import { ClusterStore, storeCluster } from '../../../src/cluster/store.ts';
import type { Delta } from '../../../src/model/cluster.ts';
import { parseIp } from '../../../src/model/ip.ts';

/** The same objects in both, but for the addresses. */
function filled(name: string, ip: string): MemoryCluster {
  const cluster = memoryCluster(() => 0, name);
  cluster.set(
    rawNode('n1', { addresses: [ip] }),
    rawService('web'),
    rawSlice('web', [{ ip: '10.244.0.1', node: 'n1', ready: true }]),
  );
  return cluster;
}

function two(): { east: MemoryCluster; west: MemoryCluster; union: Cluster } {
  const east = filled('east', '10.0.0.11');
  const west = filled('west', '10.0.0.21');
  return {
    east,
    west,
    union: unionOf(
      new Map([
        ['east', east],
        ['west', west],
      ]),
    ),
  };
}

async function next(changes: AsyncIterator<Delta>): Promise<string> {
  const { value } = await changes.next();
  const { services, nodes, byEvent }: Delta = value;
  const keys = services === 'all' ? 'all' : [...services].sort().join(' ');
  return `${keys}${nodes ? ' nodes' : ''}, by event: ${[...byEvent.services].sort().join(' ')}`;
}

describe('several clusters', () => {
  it('keep apart what has the same name in each', () => {
    const { union } = two();
    const { nodes, services } = union.snapshot();
    expect(nodes.map(({ name, cluster, addresses }) => `${name} ${cluster} ${addresses}`)).to.deep.equal([
      'east:n1 east 10.0.0.11',
      'west:n1 west 10.0.0.21',
    ]);
    expect(services.map((one) => `${one.key} on ${one.endpoints.map(({ node }) => node)}`)).to.deep.equal([
      'east:default/web on east:n1',
      'west:default/web on west:n1',
    ]);
    expect([...union.services()]).to.deep.equal(services);
    expect(union.service('west:default/web')).to.equal(services[1]);
    expect(union.service('default/web')).to.equal(undefined);
    expect(union.service('north:default/web')).to.equal(undefined);
  });

  it('say where the API server of each is, also while what is shown was read from disk', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'eiproute-peers-'));
    const stores = { east: new ClusterStore('east'), west: new ClusterStore('west') };
    const parts = Object.entries(stores).map(([name, store]) => {
      const cluster = storeCluster(store, async () => undefined);
      return [name, remembered(cluster, join(folder, name), { name })] as const;
    });
    await using union = unionOf(new Map(parts));
    const peers = () => union.overview().apiPeers;
    expect(peers()).to.deep.equal([]);
    const ip = parseIp('10.0.0.1');
    const changes = union.changes(AbortSignal.timeout(10_000))[Symbol.asyncIterator]();
    stores.west.apiAt({ ip, from: 'server' });
    stores.west.notify();
    expect((await changes.next()).done).to.equal(false);
    const known = peers();
    expect(known).to.deep.equal([{ cluster: 'west', ip, from: 'server' }]);
    stores.west.apiAt({ ip, from: 'server' });
    expect(peers()).to.equal(known);
    stores.west.apiAt(undefined);
    expect(peers()).to.deep.equal([]);
    await changes.return?.();
    rmSync(folder, { recursive: true });
  });

  it('are complete by themselves, and together once all are', () => {
    const { east, west, union } = two();
    const states = () =>
      union
        .overview()
        .clusters?.map(({ name, complete }) => `${name} ${complete}`)
        .join(', ');
    expect([union.overview().complete, states()]).to.deep.equal([false, 'east false, west false']);
    west.complete();
    expect([union.overview().complete, states()]).to.deep.equal([false, 'east false, west true']);
    east.complete();
    expect([union.overview().complete, states()]).to.deep.equal([true, 'east true, west true']);
    east.trouble('nodes', 'no answer');
    expect(
      union
        .overview()
        .feeds.flatMap(({ cluster, resource, trouble }) =>
          trouble === undefined ? [] : [`${cluster} ${resource} ${trouble}`],
        ),
    ).to.deep.equal(['east nodes no answer']);
  });

  it('show the same objects as long as nothing has changed, and keep what did not change', () => {
    const { east, union } = two();
    const before = union.snapshot();
    expect(union.snapshot()).to.equal(before);
    expect(union.overview()).to.equal(union.overview());
    east.set(rawService('more', { eips: ['198.51.100.11'] }));
    expect(union.snapshot().services.map(({ key }) => key)).to.deep.equal([
      'east:default/more',
      'east:default/web',
      'west:default/web',
    ]);
    expect(union.overview().nodes).to.equal(before.nodes);
  });

  it('tell what changed in any of them, from the call on', async () => {
    const { east, west, union } = two();
    const stop = new AbortController();
    const changes = union.changes(stop.signal)[Symbol.asyncIterator]();
    west.delete(rawService('web'));
    expect(await next(changes)).to.equal('west:default/web, by event: west:default/web');
    east.set(rawNode('n2', { addresses: ['10.0.0.12'] }));
    expect(await next(changes)).to.equal(' nodes, by event: ');
    stop.abort();
    expect((await changes.next()).done).to.equal(true);
  });

  it('end for a reader that breaks off', async () => {
    const { east, union } = two();
    const stop = new AbortController();
    const changes = union.changes(stop.signal);
    east.set(rawNode('n2', { addresses: ['10.0.0.12'] }));
    for await (const _ of changes) break;
    expect(stop.signal.aborted).to.equal(false);
  });

  it('take their own part of a delta', () => {
    const delta = new GrowingDelta();
    delta.service('east:default/web', 'event');
    delta.service('west:default/web', 'event');
    delta.service('west:default/more', 'list');
    const { services, byEvent } = partOf(delta, 'west');
    expect([...services]).to.deep.equal(['west:default/web', 'west:default/more']);
    expect([...byEvent.services]).to.deep.equal(['west:default/web']);
    delta.allServices();
    expect(partOf(delta, 'east').services).to.equal('all');
  });

  it('remember each by itself: one that is away is shown as last known, the other as it is', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'eip-clusters-'));
    try {
      const open = (name: string, source: Cluster) =>
        remembered(source, join(folder, `cluster-${name}.json`), { name, every: 1 });
      const east = filled('east', '10.0.0.11');
      east.complete();
      await (async () => {
        await using saved = open('east', east);
        expect(saved.snapshot().services).to.have.length(1);
      })();
      const west = filled('west', '10.0.0.21');
      west.complete();
      const parts = new Map([
        [
          'east',
          open(
            'east',
            memoryCluster(() => 0, 'east'),
          ),
        ],
        ['west', open('west', west)],
      ]);
      await using union = unionOf(parts);
      const { nodes, services, clusters, complete } = union.snapshot();
      expect(nodes.map(({ name }) => name)).to.deep.equal(['east:n1', 'west:n1']);
      expect(services.map((one) => `${one.key} on ${one.endpoints.map(({ node }) => node)}`)).to.deep.equal([
        'east:default/web on east:n1',
        'west:default/web on west:n1',
      ]);
      expect(complete).to.equal(false);
      expect(clusters).to.deep.equal([
        { name: 'east', complete: false, remembered: true },
        { name: 'west', complete: true, remembered: false },
      ]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
