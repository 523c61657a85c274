import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import { parseIp, parsePrefix } from '../../src/model/ip.ts';
import type { Route } from '../../src/model/object.ts';
import { foreign, owner } from '../contract/objects.ts';
import { scope } from '../contract/scenario.ts';
import { late, patience } from '../patience.ts';
import { ip } from './ip.ts';
import { LinuxFixture } from './linux-fixture.ts';
import { describeOnKernel } from './namespace.ts';

/** Bytes; Linux makes twice as much of it. */
const buffer = 256 << 10;
/** More notifications than it holds, at 832 bytes each. */
const flood = 2000;

describeOnKernel('the monitor', () => {
  let fixture: LinuxFixture;
  beforeEach(async () => {
    fixture = await LinuxFixture.make(buffer);
  });
  afterEach(() => fixture[Symbol.asyncDispose]());

  it('survives an overrun, reports it once, goes on, and the listing is exact', async () => {
    const index = await fixture.addLink('eip-lan', '10.0.0.1/24');
    const end = new AbortController();
    const hints = fixture.kernel.hints(AbortSignal.any([end.signal, late()]));
    const lines = Array.from({ length: flood }, (_, i) => {
      const address = `198.${18 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`;
      return `route add ${address} via 10.0.0.2 dev eip-lan proto ${owner.protocol}`;
    });
    // Synchronous on purpose: while this runs, nobody drains the socket.
    execFileSync('ip', ['-batch', '-'], { input: lines.join('\n') });

    const heard = new Map<string, number>();
    for await (const { kind } of hints) {
      heard.set(kind, (heard.get(kind) ?? 0) + 1);
      // Not a word before it will be heard: until the socket is empty, Linux drops without saying so.
      if (kind === 'overrun') await fixture.setSysctl('net/ipv4/ip_forward', '1');
      if (heard.has('overrun') && heard.has('netconf')) end.abort();
    }
    expect(heard.get('overrun')).to.equal(1);
    expect(heard.get('netconf')).to.equal(1);

    const { objects } = await fixture.kernel.list(scope, late());
    const routes = [...objects.values()].filter(({ kind }) => kind === 'route');
    expect(routes.length).to.equal(flood);
    expect(routes.at(-1)).to.deep.include({
      nhid: undefined,
      hops: [{ via: '10.0.0.2', link: index, weight: 1 }],
    });
  });

  it('hears of all foreign routes where the kernel has no room for the filter', async () => {
    await fixture.oldRoomForFilters();
    const end = new AbortController();
    const hints = fixture.kernel.hints(AbortSignal.any([end.signal, late()]));
    const networks = Array.from({ length: 600 }, (_, i) => parsePrefix(`20.${i >> 8}.${i & 255}.0/28`));
    for (const count of [1, 600])
      await fixture.kernel.list(
        { ...scope, guarded: { table: 254, networks: networks.slice(0, count) } },
        late(),
      );
    await ip(`route add unreachable 20.2.87.0/29 table 77 proto ${foreign}`);
    const heard: string[] = [];
    for await (const { kind } of hints) {
      heard.push(kind);
      end.abort();
    }
    expect(heard).to.deep.equal(['foreign']);
  });

  it('hears nothing of foreign routes that take no packets of ours, however many', async () => {
    await fixture.addLink('eip-lan', '10.0.0.1/24');
    const end = new AbortController();
    const hints = fixture.kernel.hints(AbortSignal.any([end.signal, late()]));
    const guarded = { table: 254, networks: [parsePrefix('198.51.100.0/24')] };
    await fixture.kernel.list({ ...scope, guarded }, late());
    const lines = Array.from(
      { length: flood },
      (_, i) => `route add 20.0.${i >> 8}.${i & 255}/31 via 10.0.0.2 dev eip-lan`,
    ).filter((_, i) => i % 2 === 0);
    const networks = lines.concat(lines.map((line) => line.replace('20.', '21.')));
    execFileSync('ip', ['-batch', '-'], { input: networks.join('\n') });
    await ip('route add 198.51.100.7 via 10.0.0.2 dev eip-lan');
    const kinds: string[] = [];
    for await (const { kind } of hints) {
      kinds.push(kind);
      if (kind === 'foreign' || kind === 'overrun') end.abort();
    }
    expect(kinds).to.deep.equal(['foreign']);
  });

  it('hears nothing of the routes that we change ourselves, however many', async () => {
    const link = await fixture.addLink('eip-lan', '10.0.0.1/24');
    const end = new AbortController();
    const hints = fixture.kernel.hints(AbortSignal.any([end.signal, late()]));
    const routes = Array.from({ length: flood }, (_, i) => ownRoute(`198.18.${i >> 8}.${i & 255}`, link));
    // They fill one batch, which the kernel does before anybody could drain the socket.
    const added = await fixture.kernel.apply(
      routes.map((want) => ({ verb: 'add', want })),
      late(),
    );
    const deleted = await fixture.kernel.apply(
      routes.map((have) => ({ verb: 'delete', have })),
      late(),
    );
    expect([...added, ...deleted].filter((refused) => refused !== undefined)).to.deep.equal([]);
    execFileSync('ip', ['route', 'add', '192.0.2.1', 'via', '10.0.0.2', 'proto', `${owner.protocol}`]);
    const heard: string[] = [];
    for await (const { kind } of hints) {
      heard.push(kind);
      if (kind === 'route') end.abort();
    }
    expect(heard).to.deep.equal(['route']);
  });

  it('knows all routes that we have made as ours, in whichever batch they were', async () => {
    const link = await fixture.addLink('eip-lan', '10.0.0.1/24');
    const end = new AbortController();
    const hints = fixture.kernel.hints(AbortSignal.any([end.signal, late()]));
    await fixture.kernel.list(scope, late());
    const addresses = Array.from({ length: 3 * flood }, (_, i) => `198.18.${i >> 8}.${i & 255}`);
    await fixture.kernel.apply(
      addresses.map((address) => ({ verb: 'add', want: ownRoute(address, link) })),
      late(),
    );
    const taken = [0, flood, 3 * flood - 1].map((i) => `${addresses[i]}/32`);
    const lines = taken.map((dst) => `route replace ${dst} via 10.0.0.3 dev eip-lan proto static`);
    execFileSync('ip', ['-batch', '-'], { input: lines.join('\n') });
    const heard: string[] = [];
    for await (const { kind, text } of hints) {
      if (kind === 'route') heard.push(text);
      if (heard.length === taken.length) end.abort();
    }
    expect(heard.map((text) => text.split(' protocol ')[0])).to.deep.equal(
      taken.map((dst) => `route replaced: ${dst}`),
    );
  });
});

function ownRoute(address: string, link: number): Route {
  return {
    kind: 'route',
    table: 254,
    dst: parsePrefix(address),
    metric: 0,
    protocol: owner.protocol,
    type: 'unicast',
    nhid: undefined,
    hops: [{ via: parseIp('10.0.0.2'), link, weight: 1 }],
    src: undefined,
  };
}

describeOnKernel('an open kernel port', () => {
  const source = new URL('../../src/kernel/linux.ts', import.meta.url).href;
  const open = `
    import { LinuxKernel } from ${JSON.stringify(source)};
    const kernel = await LinuxKernel.open('/nonexistent/eip-state');
    const end = new AbortController();
    (async () => { for await (const hint of kernel.hints(end.signal)); })();
    setTimeout(() => { console.log('still here'); process.exit(1); }, ${patience}).unref();
  `;
  const endings: Readonly<Record<string, string>> = {
    'process.exit() while it waits for notifications': 'setTimeout(() => process.exit(0), 50);',
    'being disposed of': 'setTimeout(() => kernel[Symbol.asyncDispose](), 50);',
    'the signal of its hints': 'setTimeout(() => end.abort(), 50);',
  };
  for (const [what, ending] of Object.entries(endings)) {
    it(`lets the process end by ${what}`, () => {
      const output = execFileSync(process.execPath, ['--input-type=module', '-e', open + ending], {
        timeout: 2 * patience,
        encoding: 'utf8',
      });
      expect(output).to.equal('');
    });
  }
});
