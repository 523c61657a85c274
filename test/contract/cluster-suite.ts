import { expect } from 'chai';
import { rawNode, rawService, rawSlice } from '../../lab/cluster/manifests.ts';
import type { Cluster } from '../../src/cluster/cluster.ts';
import { GrowingDelta } from '../../src/cluster/delta.ts';
import { encodeService } from '../../src/cluster/encode.ts';
import type { Delta, Origin, Snapshot } from '../../src/model/cluster.ts';
import { parseIp } from '../../src/model/ip.ts';
import { late } from '../patience.ts';
import { until } from './until.ts';

/** A source under test, and a hand that changes what it reads. */
export interface ClusterFixture extends AsyncDisposable {
  readonly cluster: Cluster;
  set(...objects: readonly object[]): Promise<void>;
  delete(...objects: readonly object[]): Promise<void>;
}

const world = [
  rawNode('n1', { addresses: ['10.0.0.1', '2001:db8:a::1'] }),
  rawNode('n2', { addresses: ['10.0.0.2'] }),
  rawService('web', { eips: ['198.51.100.10'] }),
  rawSlice('web', [
    { ip: '10.1.0.2', node: 'n2', ready: false, serving: true, terminating: true },
    { ip: '10.1.0.1', node: 'n1' },
  ]),
  rawService('api', { namespace: 'other', eips: [], spec: { externalIPs: ['192.0.2.7', 'nonsense'] } }),
  rawSlice('api', [], 'api-x1', 'other'),
];

/**
 * The same state whatever the source: what all clusters promise.
 *
 * @param origin how the source learns of changes once it is complete
 */
export function clusterContract(
  name: string,
  origin: Origin,
  open: (world: readonly object[]) => Promise<ClusterFixture>,
): void {
  describe(`a cluster from ${name}`, () => {
    it('shows the whole state', async () => {
      await using stage = await open(world);
      const { nodes, services, feeds, problems } = await until(stage.cluster, ({ complete }) => complete);
      expect(nodes.map((node) => ({ ...node, uid: '' }))).to.deep.equal([
        {
          name: 'n1',
          uid: '',
          addresses: ['10.0.0.1', '2001:db8:a::1'],
          deleting: false,
          autoscalerDeletes: false,
          excludeLabel: undefined,
          networkUnavailable: false,
          notReady: false,
          unschedulable: false,
          drain: undefined,
        },
        {
          name: 'n2',
          uid: '',
          addresses: ['10.0.0.2'],
          deleting: false,
          autoscalerDeletes: false,
          excludeLabel: undefined,
          networkUnavailable: false,
          notReady: false,
          unschedulable: false,
          drain: undefined,
        },
      ]);
      expect(services.map(({ key }) => key)).to.deep.equal(['default/web', 'other/api']);
      expect(services[0]?.ingress).to.deep.equal(['198.51.100.10']);
      expect(services[0]?.endpoints).to.deep.equal([
        { ip: '10.1.0.1', node: 'n1', ready: true, serving: true, terminating: false },
        { ip: '10.1.0.2', node: 'n2', ready: false, serving: true, terminating: true },
      ]);
      expect(services[1]).to.deep.include({ externalIps: ['192.0.2.7'], ingress: [], endpoints: [] });
      expect(problems.map(({ subject }) => subject)).to.deep.equal([
        'Service other/api spec.externalIPs "nonsense"',
      ]);
      expect(feeds.map(({ synced, trouble }) => ({ synced, trouble }))).to.deep.equal(
        [1, 2, 3].map(() => ({ synced: true, trouble: undefined })),
      );
    });

    it('follows what is added, changed and deleted, and leaves the rest as it is', async () => {
      await using stage = await open(world);
      const first = await until(stage.cluster, ({ complete }) => complete);

      await stage.set(rawService('new', { eips: ['198.51.100.11'] }));
      const second = await until(stage.cluster, ({ services }) => services.length === 3);
      expect(named(second, 'default/new')?.ingress).to.deep.equal(['198.51.100.11']);
      expect(named(second, 'default/web')).to.equal(named(first, 'default/web'));
      expect(second.nodes).to.equal(first.nodes);

      await stage.set(rawSlice('web', [{ ip: '10.1.0.3', node: 'n2' }]));
      const third = await until(
        stage.cluster,
        (snapshot) => named(snapshot, 'default/web')?.endpoints.length === 1,
      );
      expect(named(third, 'default/web')?.endpoints[0]?.node).to.equal('n2');
      expect(named(third, 'default/new')).to.equal(named(second, 'default/new'));

      await stage.delete(rawService('new'), rawNode('n2'));
      const fourth = await until(
        stage.cluster,
        ({ services, nodes }) => services.length === 2 && nodes.length === 1,
      );
      expect(fourth.services).to.deep.equal(third.services.filter((each) => each.name !== 'new'));
    });

    it('shows the same through every reader', async () => {
      await using stage = await open(world);
      const snapshot = await until(stage.cluster, ({ complete }) => complete);
      const { cluster } = stage;
      expect([...cluster.services()].sort((a, b) => (a.key < b.key ? -1 : 1))).to.deep.equal(
        snapshot.services,
      );
      for (const service of snapshot.services) {
        expect(cluster.service(service.key)).to.equal(service);
      }
      expect(cluster.service('default/none')).to.equal(undefined);
      const { complete, nodes, feeds, problems } = snapshot;
      expect(cluster.overview()).to.deep.include({ complete, nodes, feeds, problems });
      expect(cluster.overview().nodes).to.equal(nodes);
    });

    it('yields the keys of the Services that were added, changed and deleted, and of no others', async () => {
      await using stage = await open(world);
      await until(stage.cluster, ({ complete }) => complete);
      const { cluster } = stage;
      await using listener = listen(cluster);

      await stage.set(rawService('new'));
      expect(await listener.gather(() => cluster.service('default/new') !== undefined)).to.deep.equal(
        delta(['default/new']),
      );
      await stage.set(rawSlice('web', [{ ip: '10.1.0.3', node: 'n2' }]));
      expect(
        await listener.gather(() => cluster.service('default/web')?.endpoints.length === 1),
      ).to.deep.equal(delta(['default/web']));
      await stage.delete(rawService('new'));
      expect(await listener.gather(() => cluster.service('default/new') === undefined)).to.deep.equal(
        delta(['default/new']),
      );
    });

    it('yields changes of Nodes, and changes that are of problems alone', async () => {
      await using stage = await open(world);
      await until(stage.cluster, ({ complete }) => complete);
      const { cluster } = stage;
      await using listener = listen(cluster);

      await stage.set(rawNode('n3'));
      expect(await listener.gather(() => cluster.overview().nodes.length === 3)).to.deep.equal(
        delta([], true),
      );
      const spec = { externalIPs: ['192.0.2.7', 'other nonsense'] };
      await stage.set(rawService('api', { namespace: 'other', eips: [], spec }));
      expect(
        await listener.gather(() =>
          cluster.overview().problems.some(({ subject }) => subject.includes('other nonsense')),
        ),
      ).to.deep.equal(delta([]));
    });

    it('says of each change whether an event made it known', async () => {
      await using stage = await open(world);
      await until(stage.cluster, ({ complete }) => complete);
      const { cluster } = stage;
      await using listener = listen(cluster);

      await stage.delete(rawService('web'), rawNode('n2'));
      const { byEvent } = await listener.gatherAll(
        () => cluster.service('default/web') === undefined && cluster.overview().nodes.length === 1,
      );
      expect(byEvent).to.deep.equal(
        origin === 'event'
          ? { services: new Set(['default/web']), nodes: true }
          : { services: new Set(), nodes: false },
      );
    });

    it('merges for a busy listener all that it has not seen, whatever another has seen', async () => {
      await using stage = await open(world);
      await until(stage.cluster, ({ complete }) => complete);
      const { cluster } = stage;
      await using busy = listen(cluster);
      await using quick = listen(cluster);

      await stage.set(rawService('a'));
      await quick.gather(() => cluster.service('default/a') !== undefined);
      await stage.set(rawService('b'));
      await quick.gather(() => cluster.service('default/b') !== undefined);
      await stage.delete(rawNode('n2'));
      await quick.gather(() => cluster.overview().nodes.length === 1);
      expect(await busy.next()).to.deep.equal(delta(['default/a', 'default/b'], true));
    });

    it('yields nothing for heartbeats', async () => {
      await using stage = await open(world);
      const before = await until(stage.cluster, ({ complete }) => complete);
      await stage.set(rawNode('n1', { addresses: ['10.0.0.1', '2001:db8:a::1'], heartbeat: 'later' }));
      // What comes after the heartbeat shows that it has come in.
      await stage.set(rawService('new'));
      const after = await until(stage.cluster, ({ services }) => services.length === 3);
      expect(after.nodes).to.equal(before.nodes);
    });

    it('does not take a Service that was deleted and created again for the old one', async () => {
      await using stage = await open([...world, rawService('twin')]);
      const before = await until(stage.cluster, ({ complete }) => complete);
      await stage.delete(rawService('twin'));
      await stage.set(rawService('twin', { uid: 'second' }));
      const old = named(before, 'default/twin')?.uid;
      const after = await until(stage.cluster, (snapshot) => {
        const uid = named(snapshot, 'default/twin')?.uid;
        return uid !== undefined && uid !== old;
      });
      expect(named(after, 'default/twin')).not.to.equal(named(before, 'default/twin'));
    });

    it('reads back what is encoded', async () => {
      const service = {
        key: 'default/both',
        namespace: 'default',
        name: 'both',
        uid: 'u',
        type: 'LoadBalancer' as const,
        deleting: false,
        loadBalancerClass: undefined,
        externalTrafficPolicy: 'Local' as const,
        healthCheckNodePort: 30_999,
        ports: [{ name: '', protocol: 'UDP' as const, port: 53, nodePort: undefined }],
        ingress: [parseIp('198.51.100.53'), parseIp('2001:db8:e::53')],
        externalIps: [],
        request: {
          created: Date.parse('2026-01-02T03:04:05Z'),
          labels: { tier: 'public' },
          annotations: { 'eiproute.io/sharing-key': 'dns' },
          selector: { app: 'both' },
          loadBalancerIp: '198.51.100.53',
          clusterIps: [parseIp('10.96.0.53'), parseIp('2001:db8:c::53')],
          familyPolicy: 'PreferDualStack' as const,
          finalizer: true,
          hostnames: ['lb.example'],
          conditions: [
            {
              type: 'eiproute.io/Allocated',
              status: 'True' as const,
              reason: 'Allocated',
              message: '198.51.100.53 from pool public',
              lastTransitionTime: '2026-01-02T03:04:05Z',
            },
          ],
        },
        endpoints: [
          { ip: parseIp('10.1.0.1'), node: 'n1', ready: true, serving: true, terminating: false },
          { ip: parseIp('2001:db8:b::1'), node: 'n1', ready: true, serving: true, terminating: false },
        ],
        slicesKnown: true,
      };
      // What is saved of a slice says nothing of its ports, which a real one has.
      const ports = [{ name: '', protocol: 'UDP', port: 53 }];
      const [object = {}, ...slices] = encodeService(service);
      await using stage = await open([...world, object, ...slices.map((slice) => ({ ...slice, ports }))]);
      const snapshot = await until(stage.cluster, ({ complete }) => complete);
      const both = named(snapshot, 'default/both');
      // A real API gives out both of these itself.
      const { created } = service.request;
      expect({ ...both, uid: 'u', request: { ...both?.request, created } }).to.deep.equal(service);
    });

    it('ends its changes when asked, and can be disposed of at once', async () => {
      await using stage = await open(world);
      const stop = new AbortController();
      const changes = stage.cluster.changes(stop.signal);
      stop.abort();
      for await (const _ of changes) expect.fail('a change after the end');
    });
  });
}

/** What a delta says has changed. */
type Changed = Pick<Delta, 'services' | 'nodes'>;

function delta(services: readonly string[], nodes = false): Changed {
  return { services: new Set(services), nodes };
}

interface DeltaListener extends AsyncDisposable {
  next(): Promise<Changed>;
  /** All deltas until something holds, as one. */
  gather(holds: () => boolean): Promise<Changed>;
  /** The same, with how they were learned. */
  gatherAll(holds: () => boolean): Promise<Delta>;
}

function listen(cluster: Cluster): DeltaListener {
  const stop = new AbortController();
  const changes = cluster.changes(AbortSignal.any([stop.signal, late()]))[Symbol.asyncIterator]();
  const next = async (): Promise<Delta> => {
    const result = await changes.next();
    if (result.done) throw new Error('no change came in time');
    return result.value;
  };
  const gatherAll = async (holds: () => boolean): Promise<Delta> => {
    const all = new GrowingDelta();
    do all.merge(await next());
    while (!holds());
    return all;
  };
  const changed = ({ services, nodes }: Delta): Changed => ({ services, nodes });
  return {
    next: async () => changed(await next()),
    gather: async (holds) => changed(await gatherAll(holds)),
    gatherAll,
    async [Symbol.asyncDispose]() {
      stop.abort();
    },
  };
}

function named(snapshot: Snapshot, name: string) {
  return snapshot.services.find((service) => service.key === name);
}
