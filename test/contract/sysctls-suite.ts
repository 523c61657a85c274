import { expect } from 'chai';
import type { MakeKernelFixture } from './kernel-fixture.ts';
import { nexthopId, route, sysctl } from './objects.ts';
import { adding, deleting, lan, replacing, Scenario, scope, settings } from './scenario.ts';

const { forward, hash, redirects, retrans, retrans6, nowhere } = settings;

export function describeSysctls(make: MakeKernelFixture): void {
  describe('keeps settings', () => {
    let stage: Scenario;
    beforeEach(async () => {
      stage = await Scenario.open(make);
    });
    afterEach(() => stage.close());

    it('that exist, and shows no others', async () => {
      const { objects } = await stage.list();
      expect(objects.get(`sysctl ${redirects}`)).to.deep.equal(sysctl(redirects, '1'));
      expect(objects.get(`sysctl ${retrans}`)).to.deep.equal(sysctl(retrans, '1000'));
      expect(objects.get(`sysctl ${retrans6}`)).to.deep.equal(sysctl(retrans6, '1000'));
      expect(objects.has(`sysctl ${nowhere}`)).to.equal(false);
    });

    it('with their former values, from the first change on', async () => {
      expect((await stage.list()).formerSysctls.size).to.equal(0);
      const codes = await stage.codes([
        adding(sysctl(redirects, '0')),
        replacing(sysctl(retrans, '1000'), sysctl(retrans, '400')),
        replacing(sysctl(retrans, '400'), sysctl(retrans, '500')),
      ]);
      expect(codes).to.deep.equal(['ok', 'ok', 'ok']);
      expect([await stage.bench.sysctl(redirects), await stage.bench.sysctl(retrans)]).to.deep.equal([
        '0',
        '500',
      ]);
      expect([...(await stage.list()).formerSysctls].toSorted()).to.deep.equal([
        [redirects, '1'],
        [retrans, '1000'],
      ]);
    });

    it('as Linux rounds them', async () => {
      await stage.one(adding(sysctl(retrans, '1')));
      const value = await stage.bench.sysctl(retrans);
      // One jiffy: 10 ms where CONFIG_HZ is 100, 4 where it is 250, 1 where it is 1000.
      expect(value).to.be.oneOf(['1', '4', '10']);
      expect(await stage.shown(sysctl(retrans, '1'))).to.deep.equal(sysctl(retrans, value));
    });

    it('and restores and forgets them', async () => {
      await stage.codes([adding(sysctl(redirects, '0')), adding(sysctl(retrans, '400'))]);
      expect(await stage.one(deleting(sysctl(redirects, '0')))).to.equal('ok');
      expect([await stage.bench.sysctl(redirects), await stage.bench.sysctl(retrans)]).to.deep.equal([
        '1',
        '400',
      ]);
      expect([...(await stage.list()).formerSysctls.keys()]).to.deep.equal([retrans]);
    });

    it('and restores the value from before the first change, also after others wrote it', async () => {
      await stage.one(adding(sysctl(retrans, '400')));
      await stage.bench.setSysctl(retrans, '600');
      await stage.one(replacing(sysctl(retrans, '600'), sysctl(retrans, '400')));
      await stage.one(deleting(sysctl(retrans, '400')));
      expect(await stage.bench.sysctl(retrans)).to.equal('1000');
    });

    it('and remembers them over a restart', async () => {
      await stage.one(adding(sysctl(redirects, '0')));
      const again = await stage.bench.restart();
      const { objects, formerSysctls } = await again.list({ ...scope, sysctls: [] }, stage.signal);
      expect([...formerSysctls]).to.deep.equal([[redirects, '1']]);
      expect([...objects.keys()]).to.deep.equal([`sysctl ${redirects}`]);
      expect(await again.apply([deleting(sysctl(redirects, '0'))], stage.signal)).to.deep.equal([undefined]);
      expect(await stage.bench.sysctl(redirects)).to.equal('1');
    });

    it('and refuses what does not exist: ENOENT, without a word in the ledger', async () => {
      expect(await stage.one(adding(sysctl(nowhere, '0')))).to.equal('ENOENT');
      expect((await stage.list()).formerSysctls.size).to.equal(0);
    });

    it('and refuses what is no value: EINVAL, and goes on', async () => {
      const codes = await stage.codes([
        adding(sysctl(hash, 'many')),
        adding(sysctl(redirects, '0')),
        adding(route('192.0.2.1', { nhid: nexthopId(1) })),
        adding(route('192.0.2.2', { type: 'blackhole' })),
      ]);
      expect(codes).to.deep.equal(['EINVAL', 'ok', 'EINVAL', 'ok']);
      expect(await stage.bench.sysctl(hash)).to.equal('0');
    });

    it('of an interface for as long as there is the interface', async () => {
      await stage.one(adding(sysctl(redirects, '0')));
      await stage.bench.removeLink(lan);
      expect((await stage.list()).objects.has(`sysctl ${redirects}`)).to.equal(false);
      expect(await stage.one(adding(sysctl(redirects, '0')))).to.equal('ENOENT');
    });

    it('of forwarding for every interface at once', async () => {
      await stage.one(adding(sysctl(forward, '1')));
      expect(await stage.bench.sysctl(`net/ipv4/conf/${lan}/forwarding`)).to.equal('1');
    });
  });
}
