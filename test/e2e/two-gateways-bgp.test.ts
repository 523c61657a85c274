import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import type { Load } from '../../lab/load/load.ts';
import { late } from '../patience.ts';
import { ownBird, upstreamBird } from './bird-configurations.ts';
import { needPrograms, needRoot } from './root.ts';
import { Bird, eventually } from './routing-daemons.ts';
import { local, type Part, parts, TwoGateways } from './two-gateways.ts';

describe('two gateways with BGP, both active', () => {
  let two: TwoGateways;
  let router: Bird;
  const birds = new Map<Part, Bird>();
  let load: Load;
  before(async function () {
    needRoot(this);
    needPrograms(this, 'bird', '/usr/lib/frr/zebra', 'keepalived');
    two = await TwoGateways.lay({ lines: () => 'announce: true\nhashSeed: 7361' });
    router = await Bird.start(two.place('upstream', 'bird'), upstreamBird());
    for (const part of parts) {
      const include = join(two.folder(part), 'eips.conf');
      const { out, status } = await two.eiproute(part, 'bird');
      expect(status).to.equal(0);
      await writeFile(include, out);
      birds.set(part, await Bird.start(two.place(part, 'bird'), ownBird(part, include)));
    }
    await two.readLinkLocals();
    for (const family of ['v4', 'v6'] as const) await two.leads('gateway gateway2', family);
    load = two.load(local.v4, local.v6);
    await some(50);
  });
  after(async () => {
    await load?.[Symbol.asyncDispose]();
    for (const bird of birds.values()) await bird[Symbol.asyncDispose]();
    await router?.[Symbol.asyncDispose]();
    await two?.[Symbol.asyncDispose]();
  });

  const some = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i += 1) await load.next(() => true, late());
  };
  /** Requests that were sent since then and lost. */
  const lost = (from: number): number =>
    load.answers.filter(({ sent, pod }) => sent >= from && pod === undefined).length;
  /** Updates of IPv4 routes that the router has got. */
  const updates = async (): Promise<string> => {
    const shown = [
      await router.ask('show protocols all gw1v4'),
      await router.ask('show protocols all gw2v4'),
    ];
    return shown.map((text) => /Import updates: +(\d+)/.exec(text)?.[1] ?? text).join(' ');
  };

  it('announce each EIP with the communities of its pool', async () => {
    const shown = await router.ask(`show route ${local.v4}/32 all`);
    expect(shown.match(/BGP.community: \(65001,100\)/g)).to.have.length(2);
  });

  it('announce the EIPs and nothing else', async () => {
    const shown = await router.ask('show route');
    const routes = [...shown.matchAll(/^([0-9a-f:.]+\/\d+) /gm)].map(([, route]) => route);
    expect([...new Set(routes)].sort()).to.deep.equal([`${local.v4}/32`, `${local.v6}/128`]);
  });

  it('lose nothing while one of them is drained, nor when it comes back; every flow lives', async () => {
    await two.open(120);
    const start = Date.now();
    expect((await two.eiproute('gateway', 'drain')).status).to.equal(0);
    await two.leads('gateway2');
    await two.leads('gateway2', 'v6');
    expect(await two.live(120)).to.equal(120);
    await some(100);
    expect((await two.eiproute('gateway', 'undrain')).status).to.equal(0);
    await two.leads('gateway gateway2');
    await two.leads('gateway gateway2', 'v6');
    expect(await two.live(120)).to.equal(120);
    await some(100);
    expect(lost(start)).to.equal(0);
  });

  it('say nothing upstream when a node goes', async () => {
    const before = await updates();
    const start = Date.now();
    await two.net.unplug('node3');
    for (const part of parts)
      await eventually(`${part} has left the node out`, async () =>
        (await two.status(part)).nodes.some(({ answers }) => answers === 'no'),
      );
    await some(50);
    await two.net.plug('node3');
    await two.know();
    expect(await updates()).to.equal(before);
    // A third of the connections, until the silence is noticed.
    expect(lost(start)).to.be.lessThan(80);
    await some(100);
  });

  it('withdraw at once when the LAN of one of them loses its carrier', async () => {
    const start = Date.now();
    await two.net.unplug('gateway');
    await two.leads('gateway2');
    await two.leads('gateway2', 'v6');
    await some(200);
    await two.net.plug('gateway');
    await two.leads('gateway gateway2');
    await some(100);
    // Half of the connections go there: by the hold time of 9 s it would be hundreds.
    expect(lost(start)).to.be.lessThan(10);
  });

  it('keep every flow when one of them is killed, and when it returns', async () => {
    await two.open(120);
    expect(await two.live(120)).to.equal(120);
    const start = Date.now();
    // As without power.
    for (const port of ['gateway', 'gateway-up']) await two.net.unplug(port);
    await two.kill('gateway');
    await birds.get('gateway')?.kill();
    await two.leads('gateway2');
    const noticed = Date.now();
    expect(await two.live(120)).to.equal(120);
    await some(200);
    // BFD: 0.3 s. Without it 9 s: half of 900 connections.
    expect(lost(start)).to.be.within(1, 100);
    expect(lost(noticed + 100)).to.equal(0);
    const back = Date.now();
    for (const port of ['gateway', 'gateway-up']) await two.net.plug(port);
    await two.start('gateway');
    await two.synced('gateway');
    await two.know();
    await birds.get('gateway')?.again();
    await two.leads('gateway gateway2');
    await two.leads('gateway gateway2', 'v6');
    expect(await two.live(120)).to.equal(120);
    await some(100);
    expect(lost(back)).to.equal(0);
  });

  it('go on announcing when eiproute is killed and starts again', async () => {
    const start = Date.now();
    await two.kill('gateway');
    await some(100);
    await two.start('gateway');
    await two.synced('gateway');
    await some(100);
    expect(lost(start)).to.equal(0);
  });
});
