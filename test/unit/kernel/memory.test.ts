import { expect } from 'chai';
import fc from 'fast-check';
import { MemoryKernel } from '../../../lab/fake/memory-kernel.ts';
import { World } from '../../../lab/fake/memory-world.ts';
import type { Scope } from '../../../src/kernel/kernel.ts';
import { KernelError } from '../../../src/kernel/kernel.ts';
import { type Change, changeObject, type KernelObject, keyOf } from '../../../src/model/object.ts';
import { group, nexthop, owner, route, sysctl } from '../../contract/objects.ts';

const scope: Scope = {
  owner,
  tables: [254],
  sysctls: ['net/ipv4/ip_forward'],
  nftTables: [],
  neighbours: [],
};
const { signal } = new AbortController();

function world(): World {
  const made = new World();
  made.addLink('eth0', '10.0.0.1/24', '2001:db8:10::1/64');
  made.addLink('eth1', '203.0.113.1/24');
  return made;
}

function adding(...wants: readonly KernelObject[]): readonly Change[] {
  return wants.map((want) => ({ verb: 'add', want }));
}

const blackhole = route('192.0.2.1', { type: 'blackhole' });

describe('MemoryKernel, for tests that play the world,', () => {
  it('writes its journal as a shell session', async () => {
    const kernel = new MemoryKernel(world());
    await kernel.apply(adding(blackhole, blackhole, sysctl('net/ipv4/ip_forward', '1')), signal);
    await kernel.apply([{ verb: 'delete', have: sysctl('net/ipv4/ip_forward', '1') }], signal);
    expect(kernel.transcript()).to.deep.equal([
      'ip route add blackhole 192.0.2.1 proto 86',
      'ip route add blackhole 192.0.2.1 proto 86  # EEXIST',
      'sysctl -w net.ipv4.ip_forward="1"',
      'sysctl -w net.ipv4.ip_forward="0"',
    ]);
    expect(kernel.journal.map(({ error }) => error?.code)).to.deep.equal([
      undefined,
      'EEXIST',
      undefined,
      undefined,
    ]);
    kernel.forget();
    expect(kernel.journal).to.deep.equal([]);
  });

  it('refuses the next change that matches, once', async () => {
    const kernel = new MemoryKernel(world());
    kernel.failNext((change) => changeObject(change).kind === 'route', 'ENOMEM', 'no room');
    const changes = adding(sysctl('net/ipv4/ip_forward', '1'), blackhole, blackhole);
    const outcomes = await kernel.apply(changes, signal);
    expect(outcomes.map((error) => error?.message)).to.deep.equal([undefined, 'ENOMEM: no room', undefined]);
  });

  it('cannot be read, once', async () => {
    const kernel = new MemoryKernel(world());
    kernel.failList('ENOBUFS');
    const error = await kernel.list(scope, signal).catch((caught: unknown) => caught);
    expect(error).to.be.instanceOf(KernelError).with.property('code', 'ENOBUFS');
    expect((await kernel.list(scope, signal)).links.length).to.equal(3);
  });

  it('forgets hints that were not read when there were too many', async () => {
    const made = world();
    const kernel = new MemoryKernel(made);
    const end = new AbortController();
    const hints = kernel.hints(end.signal);
    made.add(blackhole);
    kernel.overrun();
    made.delete(blackhole);
    const kinds: string[] = [];
    for await (const { kind } of hints) {
      kinds.push(kind);
      if (kinds.length === 2) end.abort();
    }
    expect(kinds).to.deep.equal(['overrun', 'route']);
  });

  it('does nothing once the signal is aborted', async () => {
    const kernel = new MemoryKernel(world());
    const error = await kernel
      .apply(adding(blackhole), AbortSignal.abort(new Error('enough')))
      .catch((caught: unknown) => caught);
    expect(error).to.be.instanceOf(Error).with.property('message', 'enough');
    expect(kernel.journal).to.deep.equal([]);
  });

  it('hears what another one on the same world does', async () => {
    const made = world();
    const [one, other] = [new MemoryKernel(made), new MemoryKernel(made)];
    const end = new AbortController();
    const hints = other.hints(end.signal);
    await one.apply(adding(blackhole), signal);
    for await (const { text } of hints) {
      expect(text).to.equal('route added: 192.0.2.1/32');
      end.abort();
    }
  });

  it('ends its hints when it is closed', async () => {
    const kernel = new MemoryKernel(world());
    const hints = kernel.hints(signal);
    await kernel[Symbol.asyncDispose]();
    for await (const hint of hints) expect.fail(hint.text);
  });
});

describe('World', () => {
  const ids = fc.integer({ min: 1, max: 4 });
  const dst = fc.constantFrom('192.0.2.1', '192.0.2.2', '2001:db8:1::1');
  const object: fc.Arbitrary<KernelObject> = fc.oneof(
    fc
      .tuple(ids, fc.constantFrom('10.0.0.11', '2001:db8:10::11', '203.0.113.9'), fc.constantFrom(2, 3))
      .map(([id, via, link]) => nexthop(id, via, link)),
    fc.tuple(ids, fc.uniqueArray(ids, { minLength: 1 })).map(([id, members]) => group(id + 2, members)),
    fc.tuple(dst, ids).map(([to, nhid]) => route(to, { nhid })),
  );
  const deed = fc.oneof(
    fc
      .tuple(fc.constantFrom('add' as const, 'replace' as const, 'delete' as const), object)
      .map(([verb, one]) => (made: World) => {
        if (verb === 'delete') made.delete(made.objects.get(keyOf(one)) ?? one);
        else if (verb === 'replace') made.replace(one);
        else made.add(one);
      }),
    fc
      .tuple(
        fc.constantFrom(
          'linkDown' as const,
          'linkUp' as const,
          'carrierLost' as const,
          'carrierBack' as const,
        ),
        fc.constantFrom('eth0', 'eth1'),
      )
      .map(
        ([what, link]) =>
          (made: World) =>
            made[what](link),
      ),
  );

  it('never holds an object that leads to one that is gone, nor an empty group', () => {
    let made = 0;
    fc.assert(
      fc.property(fc.array(deed, { minLength: 10, maxLength: 40 }), (deeds) => {
        const tried = world();
        for (const one of deeds) {
          try {
            one(tried);
            made += 1;
          } catch (error) {
            if (!(error instanceof KernelError)) throw error;
          }
          for (const held of tried.objects.values()) {
            const leads = held.kind === 'group' ? held.members.map(({ id }) => id) : [];
            if (held.kind === 'group') expect(leads).not.to.have.length(0);
            if (held.kind === 'route' && held.nhid !== undefined) leads.push(held.nhid);
            for (const id of leads) expect(tried.objects.has(`nexthop ${id}`), keyOf(held)).to.equal(true);
            if (held.kind === 'nexthop') expect(tried.links.get(held.link)?.carrier).to.equal(true);
          }
        }
      }),
      { numRuns: 300 },
    );
    // A property over refusals alone would say nothing.
    expect(made).to.be.greaterThan(2000);
  });
});
