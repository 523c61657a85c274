import { MemoryKernel } from '../../lab/fake/memory-kernel.ts';
import { World } from '../../lab/fake/memory-world.ts';
import { type Ip, parseIp } from '../../src/model/ip.ts';
import { type Change, natEipKey, natGroupKey } from '../../src/model/object.ts';
import type { KernelFixture } from './kernel-fixture.ts';

export class MemoryFixture implements KernelFixture {
  readonly world = new World();
  readonly #ledger = new Map<string, string>();
  kernel = new MemoryKernel(this.world, this.#ledger);

  async addLink(name: string, ...addresses: readonly string[]): Promise<number> {
    return this.world.addLink(name, ...addresses);
  }

  async removeLink(name: string): Promise<void> {
    this.world.removeLink(name);
  }

  async linkDown(name: string): Promise<void> {
    this.world.linkDown(name);
  }

  async linkUp(name: string): Promise<void> {
    this.world.linkUp(name);
  }

  async carrierLost(name: string): Promise<void> {
    this.world.carrierLost(name);
  }

  async carrierBack(name: string): Promise<void> {
    this.world.carrierBack(name);
  }

  async addAddress(name: string, address: string): Promise<void> {
    this.world.addAddress(name, address);
  }

  async removeAddress(name: string, address: string): Promise<void> {
    this.world.removeAddress(name, parseIp(address.replace(/\/.*/, '')));
  }

  async meddle(change: Change): Promise<void> {
    this.world.change(change);
  }

  async touchNft(table: string): Promise<void> {
    const have = this.world.objects.get(`nft inet ${table}`);
    if (have?.kind !== 'nft') throw new RangeError(`no nft table ${table} in this world`);
    this.world.change({ verb: 'replace', have, want: { ...have, digest: 'touched' } });
  }

  async touchNat(of: Ip | number, what: 'set' | 'port' | 'chain'): Promise<void> {
    const have = this.world.objects.get(typeof of === 'number' ? natGroupKey(of) : natEipKey(of));
    if (have?.kind === 'nat-group') this.world.replace({ ...have, intact: false });
    else if (have?.kind !== 'nat-eip') throw new RangeError(`no NAT of ${of} in this world`);
    else if (what === 'set') this.world.replace({ ...have, intact: false });
    else
      this.world.replace({
        ...have,
        ports: have.ports.map((port, i) => (i === 0 ? { ...port, nodePort: 0 } : port)),
      });
  }

  async setNeighbour(link: string, ip: string, mac: string | undefined): Promise<void> {
    this.world.setNeighbour(link, parseIp(ip), mac);
  }

  async setSysctl(name: string, value: string): Promise<void> {
    this.world.setSysctl(name, value);
  }

  async sysctl(name: string): Promise<string> {
    return this.world.sysctls.get(name) ?? '';
  }

  async restart(): Promise<MemoryKernel> {
    await this.kernel[Symbol.asyncDispose]();
    this.kernel = new MemoryKernel(this.world, this.#ledger);
    return this.kernel;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kernel[Symbol.asyncDispose]();
  }
}
