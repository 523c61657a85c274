import { expect } from 'chai';
import { type JsonObject, listAt, textAt } from '../../lab/cluster/api/json.ts';
import { ready } from '../../lab/cluster/cluster.ts';
import type { RealCluster } from '../../lab/cluster/real-cluster.ts';
import { program } from '../../lab/eiproute/daemon-process.ts';
import { Stage } from '../lab/stage.ts';
import { needKubernetes, real } from './kind.ts';

/** `eiproute status --json`, the part that is looked at. */
interface Status {
  readonly clusters: readonly { readonly name: string; readonly nodes: number; readonly eips: number }[];
  readonly feeds: readonly { readonly cluster: string; readonly trouble?: string }[];
}

describe('two clusters behind one gateway, each with a real control plane', function () {
  this.timeout(120_000);
  const stack = new AsyncDisposableStack();
  let stage: Stage;
  let east: RealCluster;
  let west: RealCluster;
  before(async function () {
    await needKubernetes(this);
    stage = stack.use(
      await Stage.open(real('played'), 'allocate: true', { west: ['node3'], agents: 'none' }),
    );
    await stage.layPods();
    east = stage.real;
    if (stage.west === undefined) throw new Error('there is no second cluster');
    west = stage.west;
  });
  after(() => stack.disposeAsync());

  /** The addresses of a Service, IPv4 first. */
  async function addresses(cluster: RealCluster, name: string): Promise<readonly string[]> {
    let found: readonly string[] = [];
    await stage.until(`Service ${name} has its addresses`, async () => {
      const service = await cluster.client.find({ kind: 'Service', name });
      found = ingressOf(service);
      return found.length === 2;
    });
    return found;
  }

  function create(cluster: RealCluster, name: string, ...pods: readonly string[]): Promise<void> {
    return cluster.createService({ name, policy: 'Cluster' }, ready(stage.pods(...pods)));
  }

  async function status(): Promise<Status> {
    const argv = [program, 'status', '--config', stage.eiproute.files.config, '--json'];
    const { out } = await stage.lab.network.outcome('gateway', { argv });
    return JSON.parse(out);
  }

  it('gives both addresses of one pool, and sends each to its own nodes', async () => {
    await create(east, 'shop', 'web-1', 'web-2');
    await create(west, 'shop', 'web-3');
    const [eastern, western] = [await addresses(east, 'shop'), await addresses(west, 'shop')];
    expect(new Set([...eastern, ...western]).size, 'addresses').to.equal(4);
    await stage.lead(eastern, 'node1 node2');
    await stage.lead(western, 'node3');
    const { clusters } = await status();
    expect(clusters.map(({ name, nodes, eips }) => ({ name, nodes, eips }))).to.deep.equal([
      { name: 'east', nodes: 2, eips: 2 },
      { name: 'west', nodes: 1, eips: 2 },
    ]);
  });

  it('keeps the EIPs of one whose API server is gone, and follows the other', async () => {
    const western = await addresses(west, 'shop');
    await west.stopApi();
    await stage.until('the status tells what is wrong with west', async () =>
      (await status()).feeds.some(({ cluster, trouble }) => cluster === 'west' && trouble !== undefined),
    );
    await create(east, 'late', 'web-1');
    const late = await addresses(east, 'late');
    await stage.lead(late, 'node1 node2');
    expect(western.filter((ip) => late.includes(ip))).to.deep.equal([]);
    await stage.gone('shop');
    for (const ip of western) expect(await stage.nodesOf(ip), ip).to.equal('node3');
    expect(
      (await status()).feeds.filter(({ cluster, trouble }) => cluster === 'east' && trouble),
    ).to.deep.equal([]);
  });

  it('follows it again when its API server is back', async () => {
    await west.startApi();
    const before = await addresses(west, 'shop');
    await west.deleteService('shop');
    await stage.lead(before, '');
    await create(west, 'other', 'web-3');
    await stage.lead(await addresses(west, 'other'), 'node3');
    await stage.until('the status has nothing against either', async () =>
      (await status()).feeds.every(({ trouble }) => trouble === undefined),
    );
  });
});

function ingressOf(service: JsonObject | undefined): readonly string[] {
  return listAt(service, 'status', 'loadBalancer', 'ingress')
    .map((each) => textAt(each, 'ip'))
    .sort((a, b) => Number(a.includes(':')) - Number(b.includes(':')));
}
