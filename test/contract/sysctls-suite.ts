import { expect } from 'chai';
import type { MakeKernelFixture } from './kernel-fixture.ts';
import { nexthopId, route, sysctl } from './objects.ts';
import { adding, deleting, lan, replacing, Scenario, scope, settings } from './scenario.ts';

const { forward, hash, redirects, retrans, retrans6, nowhere } = settings;

export function describeSysctls(make: MakeKernelFixture): void {
  describe('keeps settings', () => {
    let scenario: Scenario;
    beforeEach(async () => {
      scenario = await Scenario.open(make);
    });
    afterEach(() => scenario.close());

    it('that exist, and shows no others', async () => {
      const { objects } = await scenario.list();
      expect(objects.get(`sysctl ${redirects}`)).to.deep.equal(sysctl(redirects, '1'));
      expect(objects.get(`sysctl ${retrans}`)).to.deep.equal(sysctl(retrans, '1000'));
      expect(objects.get(`sysctl ${retrans6}`)).to.deep.equal(sysctl(retrans6, '1000'));
      expect(objects.has(`sysctl ${nowhere}`)).to.equal(false);
    });

    it('with their former values, from the first change on', async () => {
      expect((await scenario.list()).formerSysctls.size).to.equal(0);
      const codes = await scenario.codes([
        adding(sysctl(redirects, '0')),
        replacing(sysctl(retrans, '1000'), sysctl(retrans, '400')),
        replacing(sysctl(retrans, '400'), sysctl(retrans, '500')),
      ]);
      expect(codes).to.deep.equal(['ok', 'ok', 'ok']);
      expect([
        await scenario.fixture.sysctl(redirects),
        await scenario.fixture.sysctl(retrans),
      ]).to.deep.equal(['0', '500']);
      expect([...(await scenario.list()).formerSysctls].toSorted()).to.deep.equal([
        [redirects, '1'],
        [retrans, '1000'],
      ]);
    });

    it('as Linux rounds them', async () => {
      await scenario.one(adding(sysctl(retrans, '1')));
      const value = await scenario.fixture.sysctl(retrans);
      // One jiffy: 10 ms where CONFIG_HZ is 100, 4 where it is 250, 1 where it is 1000.
      expect(value).to.be.oneOf(['1', '4', '10']);
      expect(await scenario.shown(sysctl(retrans, '1'))).to.deep.equal(sysctl(retrans, value));
    });

    it('and restores and forgets them', async () => {
      await scenario.codes([adding(sysctl(redirects, '0')), adding(sysctl(retrans, '400'))]);
      expect(await scenario.one(deleting(sysctl(redirects, '0')))).to.equal('ok');
      expect([
        await scenario.fixture.sysctl(redirects),
        await scenario.fixture.sysctl(retrans),
      ]).to.deep.equal(['1', '400']);
      expect([...(await scenario.list()).formerSysctls.keys()]).to.deep.equal([retrans]);
    });

    it('and restores the value from before the first change, also after others wrote it', async () => {
      await scenario.one(adding(sysctl(retrans, '400')));
      await scenario.fixture.setSysctl(retrans, '600');
      await scenario.one(replacing(sysctl(retrans, '600'), sysctl(retrans, '400')));
      await scenario.one(deleting(sysctl(retrans, '400')));
      expect(await scenario.fixture.sysctl(retrans)).to.equal('1000');
    });

    it('and remembers them over a restart', async () => {
      await scenario.one(adding(sysctl(redirects, '0')));
      const again = await scenario.fixture.restart();
      const { objects, formerSysctls } = await again.list({ ...scope, sysctls: [] }, scenario.signal);
      expect([...formerSysctls]).to.deep.equal([[redirects, '1']]);
      expect([...objects.keys()]).to.deep.equal([`sysctl ${redirects}`]);
      expect(await again.apply([deleting(sysctl(redirects, '0'))], scenario.signal)).to.deep.equal([
        undefined,
      ]);
      expect(await scenario.fixture.sysctl(redirects)).to.equal('1');
    });

    it('and refuses what does not exist: ENOENT, without a word in the ledger', async () => {
      expect(await scenario.one(adding(sysctl(nowhere, '0')))).to.equal('ENOENT');
      expect((await scenario.list()).formerSysctls.size).to.equal(0);
    });

    it('and refuses what is no value: EINVAL, and goes on', async () => {
      const codes = await scenario.codes([
        adding(sysctl(hash, 'many')),
        adding(sysctl(redirects, '0')),
        adding(route('192.0.2.1', { nhid: nexthopId(1) })),
        adding(route('192.0.2.2', { type: 'blackhole' })),
      ]);
      expect(codes).to.deep.equal(['EINVAL', 'ok', 'EINVAL', 'ok']);
      expect(await scenario.fixture.sysctl(hash)).to.equal('0');
    });

    it('of an interface for as long as there is the interface', async () => {
      await scenario.one(adding(sysctl(redirects, '0')));
      await scenario.fixture.removeLink(lan);
      expect((await scenario.list()).objects.has(`sysctl ${redirects}`)).to.equal(false);
      expect(await scenario.one(adding(sysctl(redirects, '0')))).to.equal('ENOENT');
    });

    it('of forwarding for every interface at once', async () => {
      await scenario.one(adding(sysctl(forward, '1')));
      expect(await scenario.fixture.sysctl(`net/ipv4/conf/${lan}/forwarding`)).to.equal('1');
    });
  });
}
