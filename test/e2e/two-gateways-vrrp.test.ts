import { expect } from 'chai';
import type { Load } from '../../lab/load/load.ts';
import { pools } from '../../lab/network/map.ts';
import type { Process } from '../../lab/process/process.ts';
import { abortable } from '../../src/abortable.ts';
import { late } from '../patience.ts';
import { deaf, keepalived, shared } from './keepalived-configuration.ts';
import { needPrograms, needRoot } from './root.ts';
import { eventually, startKeepalived } from './routing-daemons.ts';
import { local, type Part, parts, TwoGateways } from './two-gateways.ts';

const lines = `announce: true\nhashSeed: 7361\nactive: { address: ${shared} }`;

const other = (part: Part): Part => (part === 'gateway' ? 'gateway2' : 'gateway');

describe('two gateways with keepalived, one active', () => {
  let two: TwoGateways;
  let load: Load;
  const vrrp = new Map<Part, Process>();
  before(async function () {
    needRoot(this);
    needPrograms(this, 'bird', '/usr/lib/frr/zebra', 'keepalived');
    two = await TwoGateways.lay({ lines: () => lines });
    const [pool] = pools;
    await two.ip('upstream', `route add ${pool} via ${shared} dev eth1`);
    await startVrrp('gateway');
    await eventually('gateway announces', async () => (await stateOf('gateway')) === 'announced');
    await startVrrp('gateway2');
    expect(await active()).to.equal('gateway');
    load = two.load(local.v4);
    await some(50);
  });
  after(async () => {
    await load?.[Symbol.asyncDispose]();
    for (const each of vrrp.values()) await each[Symbol.asyncDispose]();
    await two?.[Symbol.asyncDispose]();
  });

  const startVrrp = async (part: Part): Promise<void> => {
    const place = two.place(part, 'keepalived');
    vrrp.set(part, await startKeepalived(place, keepalived(part)));
  };
  const some = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i += 1) await load.next(() => true, late());
  };
  const lost = (from: number): number =>
    load.answers.filter(({ sent, pod }) => sent >= from && pod === undefined).length;
  const stateOf = async (part: Part): Promise<string | undefined> =>
    (await two.status(part)).announce?.ipv4?.state;
  /** Linux has no table of which nothing was ever in. */
  const entries = async (part: Part): Promise<string> =>
    (await two.net.outcome(part, { argv: ['ip', 'route', 'show', 'table', '86'] })).out;
  /** Resolves with the one gateway that announces, once the other one is on standby. */
  const active = async (): Promise<Part> => {
    let found: Part = 'gateway';
    await eventually('one gateway announces and the other one does not', async () => {
      const states = await Promise.all(parts.map(stateOf));
      found = states[0] === 'announced' ? 'gateway' : 'gateway2';
      return states.toSorted().join(' ') === 'announced standby';
    });
    return found;
  };

  it('announce from the one that has the address; both hold all routes', async () => {
    const now = await active();
    expect(await entries(now)).to.match(/^blackhole 198.51.100.10 proto 86 metric 100/);
    expect(await entries(other(now))).to.equal('');
    for (const part of parts) expect(await two.ip(part, `route show ${local.v4}`)).to.include('nhid');
  });

  it('keep every flow when keepalived is stopped on the active one', async () => {
    const before = await active();
    await two.open(120);
    expect(await two.live(120)).to.equal(120);
    const start = Date.now();
    vrrp.get(before)?.signal('SIGTERM');
    await abortable(vrrp.get(before)?.ended ?? Promise.resolve(''), late());
    expect(await active()).to.equal(other(before));
    expect(await two.live(120)).to.equal(120);
    await some(100);
    // It says so before it ends: nobody waits for three adverts.
    expect(lost(start)).to.be.lessThan(200);
    await startVrrp(before);
    await some(100);
    expect(await active()).to.equal(other(before));
  });

  it('keep every flow when the active one is killed, and when it returns', async () => {
    const before = await active();
    await two.open(120);
    expect(await two.live(120)).to.equal(120);
    const start = Date.now();
    const ports = before === 'gateway' ? ['gateway', 'gateway-up'] : ['gateway2', 'gateway2-up'];
    for (const port of ports) await two.net.unplug(port);
    await two.kill(before);
    vrrp.get(before)?.signal('SIGKILL');
    await vrrp.get(before)?.ended;
    await eventually('the other one announces', async () => (await stateOf(other(before))) === 'announced');
    expect(await two.live(120)).to.equal(120);
    await some(100);
    // Three adverts of a second, and what is left of the fourth.
    expect(lost(start)).to.be.within(1, 700);
    const back = Date.now();
    // What power takes along.
    await two.ip(before, `address flush dev eth1 to ${shared}/32`);
    for (const port of ports) await two.net.plug(port);
    await two.start(before);
    await two.synced(before);
    await startVrrp(before);
    await some(100);
    expect(await active()).to.equal(other(before));
    expect(await two.live(120)).to.equal(120);
    expect(lost(back)).to.equal(0);
  });

  it('both announce while they cannot hear each other, and one does afterwards', async () => {
    for (const part of parts) await two.net.run(part, { argv: ['nft', '-f', '-'], input: deaf });
    for (const part of parts)
      await eventually(`${part} announces`, async () => (await stateOf(part)) === 'announced');
    for (const part of parts) await two.net.run(part, { argv: ['nft', 'delete table ip eip-deaf'] });
    // The one with the higher priority.
    expect(await active()).to.equal('gateway');
    await some(100);
    const calm = Date.now();
    await some(100);
    expect(lost(calm)).to.equal(0);
  });

  it('drain the active one: it announces nothing, and forwards what comes', async () => {
    const now = await active();
    const start = Date.now();
    expect((await two.eiproute(now, 'drain')).status).to.equal(0);
    expect([await stateOf(now), await entries(now)]).to.deep.equal(['draining', '']);
    await some(100);
    expect((await two.eiproute(now, 'undrain')).status).to.equal(0);
    expect(await stateOf(now)).to.equal('announced');
    expect(lost(start)).to.equal(0);
  });
});
