import { expect } from 'chai';
import { ready } from '../../lab/cluster/cluster.ts';
import { program } from '../../lab/eiproute/daemon-process.ts';
import { embedded } from '../../lab/lab.ts';
import type { Load } from '../../lab/load/load.ts';
import { ipBatch } from '../../lab/process/run.ts';
import { Stage } from '../lab/stage.ts';
import { late } from '../patience.ts';
import { needRoot } from './root.ts';

/** A part of what `ip -j nexthop` prints. */
interface Nexthop {
  readonly id: number;
  readonly gateway?: string;
  readonly group?: readonly { readonly id: number; readonly weight?: number }[];
}

/** A part of what `ip -j route` prints. */
interface Route {
  readonly dst: string;
  readonly nhid?: number;
}

/** The id that 0.1 would have given: protocol 86 had 860000000 and on for nexthops, 861000000 and on for groups. */
const former = (id: number): number => (id < 260_000_000 ? id + 610_000_000 : id + 601_000_000);

describe('an upgrade from a version with the former nexthop ids, under load', () => {
  let stage: Stage;
  let load: Load;
  before(async function () {
    needRoot(this);
    stage = await Stage.open(embedded);
    const { cluster, proxy, clients, network } = stage.lab;
    await stage.layPods();
    await cluster.createService({ name: 'web', policy: 'Cluster' }, ready(network.pods));
    await cluster.createService({ name: 'mail', policy: 'Local' }, ready(stage.pods('web-2')));
    await stage.serving('web');
    await stage.serving('mail');
    await proxy.settled();
    load = clients.start({ to: [...stage.ips('web'), ...stage.ips('mail')], port: 80, every: 5 });
    for (let i = 0; i < 50; i += 1) await load.next(({ pod }) => pod !== undefined, late());
  });
  after(async () => {
    await load?.[Symbol.asyncDispose]();
    await stage?.[Symbol.asyncDispose]();
  });

  const ask = async <T>(...words: readonly string[]): Promise<readonly T[]> =>
    JSON.parse(await stage.lab.network.run('gateway', { argv: ['ip', '-j', ...words] }));
  const nexthops = () => ask<Nexthop>('nexthop');
  const eips = async (): Promise<readonly Route[]> =>
    [...(await ask<Route>('-4', 'route')), ...(await ask<Route>('-6', 'route'))].filter(
      ({ nhid }) => nhid !== undefined,
    );

  /** Leaves the kernel as 0.1 would have, with the daemon stopped. */
  async function playFormerVersion(): Promise<void> {
    const all = await nexthops();
    const routes = await eips();
    const hops = all.filter(({ gateway }) => gateway !== undefined);
    const groups = all.filter(({ group }) => group !== undefined);
    await ipBatch(
      ['-n', stage.lab.network.namespace('gateway')],
      [
        ...hops.map(({ id, gateway }) => `nexthop add id ${former(id)} via ${gateway} dev eth0 proto 86`),
        ...groups.map(
          ({ id, group = [] }) =>
            `nexthop add id ${former(id)} group ${group.map((one) => former(one.id)).join('/')} proto 86`,
        ),
        ...routes.map(({ dst, nhid = 0 }) => `route replace ${dst} nhid ${former(nhid)} proto 86`),
        ...groups.map(({ id }) => `nexthop delete id ${id}`),
        ...hops.map(({ id }) => `nexthop delete id ${id}`),
      ],
    );
  }

  it('loses nothing while the new daemon takes over', async () => {
    await stage.eiproute.gateway.kill('SIGTERM', late());
    await playFormerVersion();
    expect((await nexthops()).every(({ id }) => id >= 860_000_000)).to.equal(true);
    const before = await eips();
    expect(before).to.have.length(4);
    await stage.eiproute.restartGateway();
    await stage.eiproute.synced(late());
    for (let i = 0; i < 100; i += 1) await load.next(() => true, late());
    const { sent, lost, errors } = await load.stop();
    expect(sent).to.be.greaterThan(200);
    expect([lost, errors]).to.deep.equal([0, {}]);
  });

  it('leaves nothing of the former ids, and every id where FRR can read it', async () => {
    const ids = (await nexthops()).map(({ id }) => id);
    expect(ids).not.to.deep.equal([]);
    for (const id of ids) expect(id).to.be.within(250_000_000, 268_435_455);
    expect((await eips()).map(({ dst }) => dst)).to.have.length(4);
  });

  it('purges former ids that no daemon of this version has seen', async () => {
    await stage.eiproute.gateway.kill('SIGTERM', late());
    await playFormerVersion();
    await stage.lab.network.run('gateway', {
      argv: [program, 'purge', '--yes', '--config', stage.eiproute.files.config],
    });
    expect(await nexthops()).to.deep.equal([]);
    expect(await eips()).to.deep.equal([]);
  });
});
