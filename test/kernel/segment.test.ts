import { expect } from 'chai';
import { LinuxSegment } from '../../src/kernel/linux-segment.ts';
import { parseIp } from '../../src/model/ip.ts';
import { type SegmentFixture, segmentSuite } from '../contract/segment-suite.ts';
import { ip } from './ip.ts';
import { describeOnKernel } from './namespace.ts';

/** The two ends of a cable, both in this namespace. */
async function make(): Promise<SegmentFixture> {
  await ip(
    'link add eip-here address 02:00:5e:00:53:01 type veth peer name eip-there address 02:00:5e:00:53:02',
  );
  await ip('link set eip-here up');
  await ip('link set eip-there up');
  const indexOf = async (name: string): Promise<number> =>
    Number(JSON.parse(await ip(`-json link show ${name}`))[0].ifindex);
  const here = new LinuxSegment();
  const there = new LinuxSegment();
  return {
    here,
    hereLink: await indexOf('eip-here'),
    hereMac: '02:00:5e:00:53:01',
    there,
    thereLink: await indexOf('eip-there'),
    async [Symbol.asyncDispose]() {
      await here[Symbol.asyncDispose]();
      await there[Symbol.asyncDispose]();
      await ip('link delete eip-here');
    },
  };
}

describeOnKernel('the segment port over Linux', () => {
  describe('as any', () => segmentSuite(make));

  it('makes hosts learn the address at once, of either family', async () => {
    await using fixture = await make();
    const { here, hereLink, hereMac } = fixture;
    await ip('address add 198.51.100.1/24 dev eip-there');
    await ip('address add 2001:db8:e::1/64 dev eip-there nodad');
    const old = '02:00:5e:00:53:99';
    await ip(`neigh replace 198.51.100.10 lladdr ${old} dev eip-there nud stale`);
    await ip(`neigh replace 2001:db8:e::10 lladdr ${old} dev eip-there nud stale`);
    here.bind(hereLink);
    await here.announce([parseIp('198.51.100.10'), parseIp('2001:db8:e::10')]);
    for (const address of ['198.51.100.10', '2001:db8:e::10'])
      expect(await ip(`neigh show ${address} dev eip-there`), address).to.include(`lladdr ${hereMac}`);
  });

  it('says what it lacks when there is no such interface', async () => {
    await using port = new LinuxSegment();
    expect(() => port.bind(4711)).to.throw('ENODEV: bind on a packet socket');
  });
});
