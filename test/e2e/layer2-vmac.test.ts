import { expect } from 'chai';
import type { Load } from '../../lab/load/load.ts';
import { pools } from '../../lab/network/map.ts';
import type { Process } from '../../lab/process/process.ts';
import { late } from '../patience.ts';
import { keepalived, shared } from './keepalived-configuration.ts';
import { needPrograms, needRoot } from './root.ts';
import { eventually, startKeepalived } from './routing-daemons.ts';
import { local, type Part, TwoGateways } from './two-gateways.ts';

const virtualMac = '00:00:5e:00:01:33';
const lines = `hashSeed: 7361\nlayer2: { interface: vrrp.51 }\nactive: { address: ${shared} }`;

describe('EIPs behind the virtual MAC of keepalived', () => {
  let two: TwoGateways;
  let load: Load;
  const vrrp = new Map<Part, Process>();
  before(async function () {
    needRoot(this);
    needPrograms(this, 'keepalived');
    two = await TwoGateways.lay({ lines: () => lines, layer2: 'IPv4', prepare: startVrrp });
    for (const pool of pools) await two.ip('upstream', `route add ${pool} dev eth1`);
    await eventually('gateway announces', async () => (await stateOf('gateway')) === 'announced');
    load = two.load(local.v4);
    await some(50);
  });
  after(async () => {
    await load?.[Symbol.asyncDispose]();
    for (const each of vrrp.values()) await each[Symbol.asyncDispose]();
    await two?.[Symbol.asyncDispose]();
  });

  const startVrrp = async (on: TwoGateways, part: Part): Promise<void> => {
    const place = on.place(part, 'keepalived');
    vrrp.set(
      part,
      await startKeepalived(place, keepalived(part, { lines: ['use_vmac vrrp.51', 'vmac_xmit_base'] })),
    );
  };
  const some = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i += 1) await load.next(() => true, late());
  };
  const stateOf = async (part: Part): Promise<string | undefined> =>
    (await two.status(part)).announce?.ipv4?.state;
  const proxies = async (part: Part): Promise<string> => await two.ip(part, 'neigh show proxy');
  const learned = async (eip: string): Promise<string> =>
    /lladdr (\S+)/.exec(await two.ip('upstream', `neigh show ${eip} dev eth1`))?.[1] ?? 'nothing';

  it('are at that MAC', async () => {
    await eventually('v4', async () => (await learned(local.v4)) === virtualMac);
    expect(await proxies('gateway2')).to.equal('');
  });

  it('keep it when the other gateway takes over, and are reached there', async () => {
    await vrrp.get('gateway')?.[Symbol.asyncDispose]();
    vrrp.delete('gateway');
    await eventually('gateway2 announces', async () => (await stateOf('gateway2')) === 'announced');
    await eventually('gateway2 answers', async () => (await proxies('gateway2')).includes(local.v4));
    await eventually('gateway is silent', async () => (await proxies('gateway')) === '');
    await some(100);
    expect(await learned(local.v4)).to.equal(virtualMac);
    expect((await two.status('gateway2')).needs).to.deep.equal([]);
  });
});
