import { expect } from 'chai';
import { type StatusInputs, status } from '../../../src/daemon/status.ts';
import type { PathTable } from '../../../src/desire/path-table.ts';
import { KernelError } from '../../../src/kernel/kernel.ts';
import type { Feed, Snapshot } from '../../../src/model/cluster.ts';
import type { Route } from '../../../src/model/object.ts';
import { endpoint, node, Scene, service, snapshot, threeNodes } from '../../scene.ts';

const names = (index: number): string => ['', 'lo', 'eth0', 'eth1'][index] ?? `if${index}`;
const web = service('web', ['198.51.100.10', '2001:db8:e::10']);
const api = service('api', ['198.51.100.11'], {
  externalTrafficPolicy: 'Local',
  endpoints: [endpoint('n2')],
});
const idle = service('idle', ['198.51.100.12'], { endpoints: [] });

async function inputs(scene: Scene, rest: Partial<StatusInputs> = {}): Promise<StatusInputs> {
  return {
    release: '0.0.0',
    started: 0,
    cluster: scene.cluster,
    names,
    report: await scene.round(),
    paths: pathsOf(scene),
    unreadable: undefined,
    ...rest,
  };
}

function pathsOf({ role }: Scene): PathTable {
  if (role.gatewayDesire === undefined) throw new Error('a scene without tables');
  return role.gatewayDesire.paths;
}

async function of(cluster: Snapshot, rest: Partial<StatusInputs> = {}) {
  return status(await inputs(new Scene(cluster), rest));
}

const quiet: Feed = { resource: 'services', synced: true, heard: 5, trouble: undefined };

describe('the status', () => {
  it('is one value that says what is where, and why', async () => {
    const found = await of(snapshot(threeNodes, [api, idle, web], { feeds: [quiet] }));
    expect(found.eips).to.deep.equal([
      { eip: '198.51.100.10', services: ['default/web'], nodes: ['n1', 'n2', 'n3'] },
      { eip: '198.51.100.11', services: ['default/api'], nodes: ['n2'] },
      { eip: '198.51.100.12', services: ['default/idle'], nodes: [] },
      { eip: '2001:db8:e::10', services: ['default/web'], nodes: ['n1', 'n2', 'n3'] },
    ]);
    expect(found.synced).to.equal(true);
    expect(found.started).to.equal('1970-01-01T00:00:00.000Z');
    expect(found.round?.reasons).to.deep.equal(['cluster']);
    expect(found.wanted).to.deep.equal(found.installed);
    expect([found.problems, found.conflicts, found.failed, found.held]).to.deep.equal([[], [], [], []]);
  });

  it('names conflicts, failures and what is held in words', async () => {
    const scene = new Scene(snapshot([...threeNodes, node('far', ['10.9.9.9'])], [api, web]));
    const foreign: Route = {
      kind: 'route',
      table: 254,
      dst: '198.51.100.10/32' as Route['dst'],
      metric: 0,
      protocol: 4,
      type: 'blackhole',
      nhid: undefined,
      hops: [],
      src: undefined,
    };
    scene.world.add(foreign);
    const found = status(await inputs(scene));
    expect(found.conflicts).to.deep.equal([
      {
        object: '198.51.100.10 nhid 861000001 proto 86',
        why: 'Service default/web',
        holder: 'blackhole 198.51.100.10 proto 4',
      },
    ]);
    expect(found.failed.map(({ why, error }) => `${why}: ${error}`)).to.deep.equal([
      'node far: ENETUNREACH: Nexthop has invalid gateway',
    ]);
    scene.cluster = snapshot([], [], { complete: false });
    const held = status(await inputs(scene)).held;
    expect(new Set(held.map(({ reason, until }) => `${reason} ${until}`))).to.deep.equal(
      new Set(['lists incomplete undefined']),
    );
  });
});

describe('synced', () => {
  const cluster = snapshot(threeNodes, [web]);
  const error = new KernelError('EIO', '');

  it('is what has nothing left to do', async () => {
    expect((await of(cluster)).synced).to.equal(true);
    expect((await of(snapshot(threeNodes, []))).synced).to.equal(true);
  });

  it('is nothing before the first round, nor while the kernel cannot be read', async () => {
    expect((await of(cluster, { report: undefined })).synced).to.equal(false);
    expect((await of(cluster, { unreadable: { error, failures: 1, retryIn: 5 } })).synced).to.equal(false);
  });

  it('is nothing while a list is missing, in the round or since', async () => {
    const missing = { ...cluster, complete: false };
    expect((await of(missing)).synced).to.equal(false);
    expect((await of(cluster, { cluster: missing })).synced).to.equal(false);
    expect((await of(missing, { cluster })).synced).to.equal(false);
  });

  it('is nothing with a failure or a hold, but a conflict is for a person', async () => {
    const scene = new Scene(cluster);
    scene.kernel.failNext(({ verb }) => verb === 'add', 'EPERM');
    expect(status(await inputs(scene)).synced).to.equal(false);
    const held = new Scene(snapshot(threeNodes, [web, api]));
    await held.round();
    held.cluster = snapshot(threeNodes, []);
    expect(status(await inputs(held)).synced).to.equal(false);
  });
});

describe('the summary', () => {
  const cluster = snapshot(threeNodes, [api, idle, web]);
  const feed = (resource: Feed['resource'], trouble: string): Feed => ({ ...quiet, resource, trouble });

  it('says in one sentence what is routed', async () => {
    expect((await of(cluster)).summary).to.equal('routing 3 EIPs over 3 nodes; 1 EIP that no node can serve');
    const one = snapshot(threeNodes.slice(0, 1), [service('web', ['198.51.100.10'])]);
    expect((await of(one)).summary).to.equal('routing 1 EIP over 1 node');
    expect((await of(snapshot([], []))).summary).to.equal('routing 0 EIPs over 0 nodes');
  });

  it('says what is wrong, the number of it', async () => {
    const error = new KernelError('EIO', 'dump interrupted');
    const unreadable = { error, failures: 1, retryIn: 5 };
    expect((await of(cluster, { unreadable })).summary).to.equal(
      'cannot read the kernel: EIO: dump interrupted',
    );
    expect((await of(cluster, { report: undefined })).summary).to.equal('starting');
    const early = snapshot(threeNodes, [], { complete: false });
    expect((await of(early)).summary).to.equal(
      'routing 0 EIPs over 0 nodes; waiting for the first complete lists',
    );
    const deaf = snapshot(threeNodes, [], {
      feeds: [feed('nodes', 'ECONNREFUSED'), feed('services', '401'), quiet],
    });
    expect((await of(deaf)).summary).to.equal('routing 0 EIPs over 0 nodes; nodes, services: ECONNREFUSED');
    const far = new Scene(snapshot([node('far', ['10.9.9.9'])], [service('web', ['198.51.100.10'])]));
    expect(status(await inputs(far)).summary).to.equal(
      'routing 1 EIP over 1 node; 1 refused by the kernel; 1 problem',
    );
  });

  it('says how many routes are not there as they should be', async () => {
    const scene = new Scene(snapshot(threeNodes, [api]));
    scene.kernel.failNext((change) => change.verb === 'add' && change.want.kind === 'route', 'EPERM');
    expect(status(await inputs(scene)).summary).to.equal(
      'routing 1 EIP over 1 node; 1 route missing; 1 refused by the kernel',
    );
  });
});
