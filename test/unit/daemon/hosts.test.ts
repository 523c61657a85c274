import { expect } from 'chai';
import { LanHosts } from '../../../src/daemon/hosts.ts';
import { KernelError } from '../../../src/kernel/kernel.ts';
import { parseIp } from '../../../src/model/ip.ts';
import type { NeighbourEntry } from '../../../src/model/listing.ts';
import type { Link } from '../../../src/model/object.ts';
import { twoLinks } from '../../scene.ts';

const [lan] = twoLinks;
const n2 = parseIp('10.0.0.12');
const never = new AbortController().signal;

interface Table {
  now: number;
  link: Link | undefined;
  entries: readonly NeighbourEntry[] | KernelError;
  looks: number;
  changes: number;
}

/** The hosts of a LAN whose neighbour table a test writes. */
function scene() {
  const world: Table = { now: 1_000_000, link: lan, entries: [], looks: 0, changes: 0 };
  const hosts = new LanHosts({
    kernel: {
      neighbours: async (link) => {
        expect(link).to.equal(lan.index);
        world.looks += 1;
        if (world.entries instanceof KernelError) throw world.entries;
        return world.entries;
      },
    },
    lan: () => world.link,
    clock: () => world.now,
    changed: () => {
      world.changes += 1;
    },
  });
  const look = async (): Promise<readonly string[]> => {
    await hosts.look(never);
    return [...hosts.silent];
  };
  return { world, hosts, look };
}

const failed: readonly NeighbourEntry[] = [{ ip: n2, state: 'FAILED' }];

describe('the hosts of the LAN for a daemon', () => {
  it('are looked at once a second at most, whoever asks', async () => {
    const { world, look } = scene();
    for (let i = 0; i < 10; i += 1) await look();
    expect(world.looks).to.equal(1);
    world.now += 1000;
    await Promise.all([look(), look()]);
    expect(world.looks).to.equal(2);
  });

  it('are told of when others are silent than before, and the set stays the same while they are', async () => {
    const { world, hosts, look } = scene();
    world.entries = failed;
    expect(await look()).to.deep.equal([n2]);
    const { silent } = hosts;
    world.now += 1000;
    await look();
    expect([world.changes, hosts.silent === silent]).to.deep.equal([1, true]);
    world.now += 1000;
    world.entries = [{ ip: n2, state: 'REACHABLE' }];
    expect(await look()).to.deep.equal([]);
    expect(world.changes).to.equal(2);
  });

  it('are unknown without the LAN, and while the kernel cannot be read', async () => {
    const { world, look } = scene();
    world.entries = failed;
    await look();
    world.now += 1000;
    world.entries = new KernelError('EIO', '');
    expect(await look()).to.deep.equal([]);
    world.now += 1000;
    world.entries = failed;
    expect(await look()).to.deep.equal([n2]);
    world.now += 1000;
    world.link = undefined;
    expect(await look()).to.deep.equal([]);
  });
});
