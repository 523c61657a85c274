import { expect } from 'chai';
import { eip, gateway, pools } from '../../lab/network/map.ts';
import { inside } from '../../lab/process/namespace.ts';
import { LinuxSegment } from '../../src/kernel/linux-segment.ts';
import { needRoot } from '../e2e/root.ts';
import { until } from '../e2e/until.ts';
import { HostLab } from './host-lab.ts';
import { difference, type HostState, stateOf } from './host-state.ts';
import { draft } from './packages.ts';

const unit = 'eiproute-gateway';
/** Linux, include/uapi/linux/capability.h */
const netAdmin = 1n << 12n;
const netRaw = 1n << 13n;
const dropIn = `/etc/systemd/system/${unit}.service.d/layer2.conf`;

describe('layer 2 on a real host', function () {
  this.bail(true);
  let lab: HostLab;
  let artifact: string;
  let fresh: HostState;

  before(async function () {
    needRoot(this);
    lab = await HostLab.open();
    artifact = await draft(lab.folder, '0.1.0');
    fresh = await stateOf(lab.gateway);
  });

  after(async () => {
    await lab?.[Symbol.asyncDispose]();
  });

  async function play(name: string, vars: object = {}): Promise<void> {
    const all = JSON.stringify({ eiproute_artifact: artifact, ...vars });
    const args = ['-i', lab.inventory, '-e', all, '--limit', 'gateways', `playbooks/${name}.yml`];
    const { status, out, err } = await lab.ansible('ansible-playbook', ...args);
    expect(status, `${out}${err}`).to.equal(0);
  }

  /** The gateways' part of the rollout; nodes without agents do not answer clients, so nobody asks them here. */
  const rollOut = (announce: 'layer2' | 'none'): Promise<void> =>
    play('site', {
      gateway_config: {
        ...lab.settings,
        pools: lab.settings.pools.map((pool) => ({ ...pool, announce })),
      },
    });

  /** Of each thread of the daemon, those lines of its status that have a capability set, as `CapEff 1000`. */
  const capabilities = async (): Promise<readonly (readonly [set: string, bits: bigint])[]> => {
    const text = await lab.gateway.sh(
      `cat /proc/$(systemctl show --value -p MainPID ${unit})/task/*/status | grep ^Cap`,
    );
    return text
      .trim()
      .split('\n')
      .map((line) => {
        const [set = '', bits = ''] = line.split(/:\s+/);
        return [set, BigInt(`0x${bits}`)];
      });
  };
  // Not CapInh, where systemd leaves it: it counts with capabilities of files only, and NoNewPrivileges lets none count. The
  // unit's filter of system calls has no capset().
  const sets = ['CapPrm', 'CapEff', 'CapAmb'];
  const withRaw = async (): Promise<readonly string[]> =>
    (await capabilities()).flatMap(([set, bits]) => (sets.includes(set) && bits & netRaw ? [set] : []));
  const bounding = async (): Promise<readonly bigint[]> => [
    ...new Set((await capabilities()).flatMap(([set, bits]) => (set === 'CapBnd' ? [bits] : []))),
  ];
  const packetSockets = async (): Promise<number> =>
    (await lab.gateway.sh('cat /proc/net/packet')).trim().split('\n').length - 1;

  it('is off at first: the unit has no CAP_NET_RAW, and nobody a packet socket', async () => {
    await rollOut('none');
    expect(await bounding()).to.deep.equal([netAdmin]);
    expect(await withRaw()).to.deep.equal([]);
    expect(await packetSockets()).to.equal(0);
    expect((await lab.gateway.outcome(['test', '-e', dropIn])).status).to.equal(1);
  });

  it('is switched on by Ansible: the sockets are open, and no thread has CAP_NET_RAW any more', async () => {
    const upstream = lab.network.namespace('upstream');
    for (const pool of pools)
      await lab.network.run('upstream', { argv: ['ip', 'route', 'replace', pool, 'dev', 'eth1'] });
    await using ear = new LinuxSegment();
    const { ifindex } = JSON.parse(
      await lab.network.run('upstream', { argv: ['ip', '-json', 'link', 'show', 'eth1'] }),
    )[0];
    inside(upstream, () => ear.bind(ifindex));
    const { address } = JSON.parse(await lab.gateway.run('ip', '-json', 'link', 'show', 'eth1'))[0];
    const end = new AbortController();
    const heard = new Set<string>();
    const listening = (async () => {
      for await (const all of ear.heard(end.signal))
        for (const { kind, ip, mac } of all) if (mac === address) heard.add(`${kind} ${ip}`);
    })();
    await rollOut('layer2');
    const { v4, v6 } = eip(1);
    await until(
      'the EIPs are asked for and announced',
      () => [...heard],
      () => [`probe ${v4}`, `probe ${v6}`, `claim ${v4}`, `claim ${v6}`].every((one) => heard.has(one)),
    );
    end.abort();
    await listening;
    // systemd lends it, in the bounding set of the process; nothing of it is left in what threads can use.
    expect(await bounding()).to.deep.equal([netAdmin | netRaw]);
    expect(await withRaw()).to.deep.equal([]);
    const threads = (await capabilities()).filter(([set]) => set === 'CapEff');
    expect(threads.length).to.be.above(1);
    for (const [, bits] of threads) expect(bits).to.equal(netAdmin);
    expect(await packetSockets()).to.equal(2);
    // A gratuitous ARP makes no entry in the neighbour table of a host that did not ask; an answer does.
    await lab.network.outcome('upstream', { argv: ['ping', '-c1', '-W1', v4] });
    await until(
      'the EIP is found by ARP',
      () => lab.network.run('upstream', { argv: ['ip', 'neigh', 'show', v4, 'dev', 'eth1'] }),
      (text) => text.includes(`lladdr ${address}`),
    );
  });

  it('is off again when no pool has it', async () => {
    await rollOut('none');
    expect(await bounding()).to.deep.equal([netAdmin]);
    expect(await packetSockets()).to.equal(0);
  });

  it('leaves nothing on the host', async () => {
    await rollOut('layer2');
    for (const pool of pools) {
      const via = pool.includes(':') ? gateway.uplink.v6 : gateway.uplink.v4;
      await lab.network.run('upstream', { argv: ['ip', 'route', 'replace', pool, 'via', via] });
    }
    await play('uninstall');
    expect(difference(fresh, await stateOf(lab.gateway))).to.deep.equal([]);
  });
});
