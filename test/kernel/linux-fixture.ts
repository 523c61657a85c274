import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LinuxKernel } from '../../src/kernel/linux.ts';
import type { Ip } from '../../src/model/ip.ts';
import { command } from '../../src/model/iproute.ts';
import { chainName, groupName, natTableName } from '../../src/model/nat.ts';
import { type Change, changeObject } from '../../src/model/object.ts';
import type { KernelFixture } from '../contract/kernel-fixture.ts';
import { foreign, owner } from '../contract/objects.ts';
import { ip, ipBatch } from './ip.ts';
import { nft, nftScript } from './nft.ts';

/**
 * What every fixture starts with: a new namespace inherits some of these from the machine. Those of an interface start
 * from `default`, and go with it.
 */
const fresh: Readonly<Record<string, string>> = {
  'net/ipv4/conf/default/send_redirects': '1',
  'net/ipv4/conf/default/rp_filter': '0',
  'net/ipv4/ip_forward': '0',
  'net/ipv4/fib_multipath_hash_policy': '0',
  'net/ipv4/nexthop_compat_mode': '1',
  'net/ipv6/fib_multipath_hash_policy': '0',
  'net/ipv6/conf/all/forwarding': '0',
  // The end of DAD for link-local addresses would be told a second or two later, in the midst of a test.
  'net/ipv6/conf/default/accept_dad': '0',
};
const filterRoom = 'net/core/optmem_max';
const kernelRules = new Set(['0', '32766', '32767']);

/** The kernel of this network namespace, which holds nothing else; other programs are played by iproute2. */
export class LinuxFixture implements KernelFixture {
  kernel: LinuxKernel;
  readonly #state: string;
  readonly #names = new Map([[1, 'lo']]);
  readonly #links = new Set<string>();
  /** As it was, when it was changed. */
  #filterRoom: string | undefined;

  private constructor(kernel: LinuxKernel, state: string) {
    this.kernel = kernel;
    this.#state = state;
  }

  /** @param monitor see {@link LinuxKernel.open} */
  static async make(monitor?: number): Promise<LinuxFixture> {
    await ip('link set lo up');
    for (const [name, value] of Object.entries(fresh)) writeFileSync(`/proc/sys/${name}`, value);
    const state = mkdtempSync(join(tmpdir(), 'eip-kernel-'));
    return new LinuxFixture(await LinuxKernel.open(state, monitor), state);
  }

  /** ifindex -> name, for iproute2's words. */
  readonly names = (index: number): string => this.#names.get(index) ?? `if${index}`;

  async addLink(name: string, ...addresses: readonly string[]): Promise<number> {
    await ipBatch([
      `link add ${name} type veth peer name ${peer(name)}`,
      `link set ${peer(name)} up`,
      `link set ${name} up`,
    ]);
    this.#links.add(name);
    await this.#settled(name, 'UP');
    await ipBatch(addresses.map((address) => addressCommand('add', address, name)));
    const index = Number((await ip(`-o link show dev ${name}`)).split(':')[0]);
    this.#names.set(index, name);
    return index;
  }

  async removeLink(name: string): Promise<void> {
    await ip(`link delete ${name}`);
    this.#links.delete(name);
  }

  async linkDown(name: string): Promise<void> {
    await ip(`link set ${name} down`);
  }

  async linkUp(name: string): Promise<void> {
    await ip(`link set ${name} up`);
    await this.#settled(name, 'UP');
  }

  async carrierLost(name: string): Promise<void> {
    await ip(`link set ${peer(name)} down`);
    await this.#settled(name, 'LOWERLAYERDOWN');
  }

  async carrierBack(name: string): Promise<void> {
    await ip(`link set ${peer(name)} up`);
    await this.#settled(name, 'UP');
  }

  async addAddress(name: string, address: string): Promise<void> {
    await ip(addressCommand('add', address, name));
    if (address.includes(':')) await this.#announced(name, address.replace(/\/.*/, ''));
  }

  async removeAddress(name: string, address: string): Promise<void> {
    await ip(addressCommand('delete', address, name));
  }

  async meddle(change: Change): Promise<void> {
    if (/^(nft|nat-)/.test(changeObject(change).kind)) await nftScript(change);
    else await ip(command(change, this.names).replace(/^ip /, ''));
  }

  async touchNft(table: string): Promise<void> {
    const listed = await nft('--handle list table inet', table);
    const [, chain = '', handle = ''] =
      /\tchain (\S+) \{ # handle \d+\n\t\ttype [^\n]*\n\t\t[^\n]* # handle (\d+)\n/.exec(listed) ?? [];
    await nft('delete rule inet', table, chain, 'handle', handle);
  }

  async touchNat(of: Ip | number, what: 'set' | 'port' | 'chain'): Promise<void> {
    const { name: table } = natTableName(owner.protocol);
    if (what === 'chain')
      return void (await nft('flush chain inet', table, chainName(groupName(Number(of)), 'address')));
    const ip = String(of);
    const version = ip.includes(':') ? 6 : 4;
    if (what === 'set') return void (await nft('delete element inet', table, `eips${version} { ${ip} }`));
    const listed = await nft('--numeric list map inet', table, `port${version}`);
    const keys = [...listed.matchAll(/([0-9a-f.:]+) \. (\d+) \. (\d+) :/g)].filter(([, eip]) => eip === ip);
    // tcp comes before udp in what we write.
    const [first] = keys.sort((a, b) => Number(a[2]) - Number(b[2]));
    await nft('delete element inet', table, `port${version} { ${first?.[0].replace(/ :$/, '')} }`);
  }

  async setNeighbour(link: string, neighbour: string, mac: string | undefined): Promise<void> {
    await ip(
      mac === undefined
        ? `neigh flush to ${neighbour} dev ${link} nud all`
        : `neigh replace ${neighbour} lladdr ${mac} dev ${link} nud reachable`,
    );
  }

  async setSysctl(name: string, value: string): Promise<void> {
    writeFileSync(`/proc/sys/${name}`, value);
  }

  /** As much memory for the filters of a socket as Linux has before 6.7, where the setting is that of the whole host. */
  async oldRoomForFilters(): Promise<void> {
    if (!existsSync(`/proc/sys/${filterRoom}`)) return;
    this.#filterRoom = await this.sysctl(filterRoom);
    await this.setSysctl(filterRoom, '20480');
  }

  async sysctl(name: string): Promise<string> {
    return readFileSync(`/proc/sys/${name}`, 'utf8').trim().replace(/\s+/g, ' ');
  }

  async restart(): Promise<LinuxKernel> {
    await this.kernel[Symbol.asyncDispose]();
    this.kernel = await LinuxKernel.open(this.#state);
    return this.kernel;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kernel[Symbol.asyncDispose]();
    if (this.#filterRoom !== undefined) await this.setSysctl(filterRoom, this.#filterRoom);
    rmSync(this.#state, { recursive: true });
    await ipBatch([...[...this.#links].map((name) => `link delete ${name}`), 'nexthop flush']);
    await nft('flush ruleset');
    for (const family of ['-4', '-6']) {
      for (const { protocol } of [owner, { protocol: foreign }]) {
        await ip(`${family} route flush table all proto ${protocol}`);
      }
      for (const [, pref = ''] of (await ip(`${family} rule show`)).matchAll(/^(\d+):/gm)) {
        if (!kernelRules.has(pref)) await ip(`${family} rule delete pref ${pref}`);
      }
    }
  }

  /** Linux announces an IPv6 address from a worker of its own, and adds the local route of the address after that. */
  async #announced(name: string, address: string): Promise<void> {
    while ((await ip(`-6 route show table local ${address} dev ${name}`)) === '') {
      // Each look is a process: the worker has its turn meanwhile.
    }
  }

  /**
   * Linux spreads the word of a carrier in a worker of its own. It sets this state first, under the lock that the
   * change of an alias has to wait for: after both, all is done.
   */
  async #settled(name: string, state: 'UP' | 'LOWERLAYERDOWN'): Promise<void> {
    for (;;) {
      const shown = await ip(`-o link show dev ${name}`);
      if (shown.includes(` state ${state} `)) break;
    }
    await ip(`link set dev ${name} alias settled`);
  }
}

function addressCommand(verb: 'add' | 'delete', address: string, name: string): string {
  const nodad = verb === 'add' && address.includes(':') ? ' nodad' : '';
  return `address ${verb} ${address} dev ${name}${nodad}`;
}

function peer(name: string): string {
  return `${name}-p`;
}
