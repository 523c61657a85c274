import { expect } from 'chai';
import type { Listing } from '../../src/model/listing.ts';
import { inet, nftTable } from '../../src/model/nft.ts';
import { keyOf } from '../../src/model/object.ts';
import { group, groupId, nexthop, nexthopId, owner, route } from '../contract/objects.ts';
import { scope } from '../contract/scenario.ts';
import { late } from '../patience.ts';
import { ip } from './ip.ts';
import { LinuxFixture } from './linux-fixture.ts';
import { describeOnKernel } from './namespace.ts';
import { nft } from './nft.ts';

describeOnKernel('a second look', () => {
  let signal: AbortSignal;
  let fixture: LinuxFixture;
  let first: Listing;
  const target = group(groupId(0), [nexthopId(0)]);
  const routes = Array.from({ length: 100 }, (_, i) => route(`198.51.100.${i}/32`, { nhid: target.id }));

  beforeEach(async () => {
    signal = late();
    fixture = await LinuxFixture.make();
    const link = await fixture.addLink('eip-lan', '10.0.0.1/24');
    const wanted = [nexthop(nexthopId(0), '10.0.0.2', link), target, ...routes];
    const outcomes = await fixture.kernel.apply(
      wanted.map((want) => ({ verb: 'add', want })),
      signal,
    );
    expect(outcomes.filter((one) => one !== undefined)).to.deep.equal([]);
    first = await fixture.kernel.list(scope, signal);
  });
  afterEach(() => fixture[Symbol.asyncDispose]());

  const again = () => fixture.kernel.list(scope, signal);

  it('is the very same map when nothing has changed', async () => {
    expect(first.objects.size).to.be.greaterThan(routes.length);
    expect((await again()).objects).to.equal(first.objects);
  });

  const events: readonly { name: string; happens: () => Promise<unknown>; differ: readonly string[] }[] = [
    {
      name: 'a route that goes elsewhere',
      happens: () => ip(`route replace 198.51.100.50 via 10.0.0.9 proto ${owner.protocol}`),
      differ: [keyOf(route('198.51.100.50/32'))],
    },
    {
      name: 'a route that is gone',
      happens: () => ip('route delete 198.51.100.50'),
      differ: [keyOf(route('198.51.100.50/32'))],
    },
    {
      name: 'a route that is new',
      happens: () => ip(`route add 198.51.100.200 via 10.0.0.9 proto ${owner.protocol}`),
      differ: [keyOf(route('198.51.100.200/32'))],
    },
    {
      name: 'a nexthop that is new',
      happens: () => ip(`nexthop add id ${nexthopId(1)} via 10.0.0.9 dev eip-lan protocol ${owner.protocol}`),
      differ: [`nexthop ${nexthopId(1)}`],
    },
  ];
  for (const { name, happens, differ } of events) {
    it(`shows ${name}, and the rest as the same objects`, async () => {
      await happens();
      const now = await again();
      const keys = new Set([...first.objects.keys(), ...now.objects.keys()]);
      const changed = [...keys].filter(
        (key) => first.objects.get(key) !== now.objects.get(key) && !key.startsWith('sysctl'),
      );
      expect(changed).to.deep.equal(differ);
      expect((await again()).objects).to.equal(now.objects);
    });
  }

  it('shows a setting that was changed', async () => {
    const [name] = scope.sysctls;
    if (name === undefined) throw new Error('the scope has no sysctls');
    const key = `sysctl ${name}`;
    const value = first.objects.get(key);
    const other = value?.kind === 'sysctl' && value.value === '1' ? '0' : '1';
    await fixture.setSysctl(name, other);
    expect((await again()).objects.get(key)).to.deep.equal({ kind: 'sysctl', name, value: other });
  });

  it('shows an nftables table that was touched, and is the very same map while it is not', async () => {
    const [name = inet('')] = scope.nftTables;
    const table = nftTable(name, owner.protocol, '  chain guard {\n    ip daddr 192.0.2.8 drop\n  }\n');
    expect(await fixture.kernel.apply([{ verb: 'add', want: table }], signal)).to.deep.equal([undefined]);
    const now = await again();
    expect(now.objects.get(keyOf(table))).to.have.property('digest', table.digest);
    expect((await again()).objects).to.equal(now.objects);
    await nft('flush table inet', name.name);
    expect((await again()).objects.get(keyOf(table)))
      .to.have.property('digest')
      .that.matches(/^touched/);
  });

  it('keeps scopes apart', async () => {
    const table = 1086;
    await ip(`route add 2001:db8:f::1 dev eip-lan table ${table} proto ${owner.protocol}`);
    const other = await fixture.kernel.list({ ...scope, tables: [table] }, signal);
    expect([...other.objects.values()].filter(({ kind }) => kind === 'route').length).to.equal(1);
    expect([...(await again()).objects]).to.deep.equal([...first.objects]);
  });
});
