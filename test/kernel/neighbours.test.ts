import { expect } from 'chai';
import { LinuxNeighbours } from '../../src/kernel/linux-neighbours.ts';
import { type Ip, parseIp } from '../../src/model/ip.ts';
import { late } from '../patience.ts';
import { ip } from './ip.ts';
import { LinuxFixture } from './linux-fixture.ts';
import { describeOnKernel } from './namespace.ts';

const mac = '02:00:5e:00:53:01';
const [here, gone, gone6, never] = ['10.0.0.2', '10.0.0.9', '2001:db8:10::9', '10.0.0.77'].map(parseIp);

describeOnKernel('the neighbour table', () => {
  let fixture: LinuxFixture;
  let neighbours: LinuxNeighbours;
  let link: number;
  beforeEach(async () => {
    fixture = await LinuxFixture.make();
    neighbours = new LinuxNeighbours();
    link = await fixture.addLink('eip-lan', '10.0.0.1/24');
    await fixture.addAddress('eip-lan', '2001:db8:10::1/64');
    for (const family of ['ipv4', 'ipv6'])
      await fixture.setSysctl(`net/${family}/neigh/eip-lan/retrans_time_ms`, '20');
  });
  afterEach(async () => {
    await neighbours[Symbol.asyncDispose]();
    await fixture[Symbol.asyncDispose]();
  });

  /** Hears of failures until both have failed, or it is late. @returns all that were heard of, in order */
  const hearOf = async (one: Ip, other: Ip): Promise<readonly string[]> => {
    const end = new AbortController();
    const heard = new Set<string>();
    for await (const ips of neighbours.failures(AbortSignal.any([end.signal, late()]))) {
      if (ips === 'unknown') throw new Error('an overrun');
      for (const each of ips) heard.add(each);
      if (heard.has(one) && heard.has(other)) end.abort();
    }
    expect(end.signal.aborted, 'in time').to.equal(true);
    return [...heard].sort();
  };

  it('has a state for each address that is asked for, and none for an unknown one', async () => {
    if (!here || !never) throw new Error('no addresses');
    await fixture.setNeighbour('eip-lan', here, mac);
    expect(await neighbours.states(link, [never, here], late())).to.deep.equal([undefined, 'REACHABLE']);
    expect(await neighbours.states(4711, [here], late()), 'no such link').to.deep.equal([undefined]);
  });

  it('asks a host when it is told to, and says when none answers, of either family', async () => {
    if (!here || !gone || !gone6) throw new Error('no addresses');
    const reading = hearOf(gone, gone6);
    // The one that is there changes its state as well, and is not heard of.
    await fixture.setNeighbour('eip-lan', here, mac);
    await neighbours.solicit(link, [here, gone, gone6]);
    expect(await reading).to.deep.equal([gone, gone6]);
    expect(await neighbours.states(link, [gone, gone6], late())).to.deep.equal(['FAILED', 'FAILED']);
  });

  it('asks all of so many that it takes several datagrams', async () => {
    const many = Array.from({ length: 200 }, (_, i) => i + 2).flatMap((i) => [
      parseIp(`10.0.0.${i}`),
      parseIp(`2001:db8:10::${i.toString(16)}`),
    ]);
    await neighbours.solicit(link, many);
    const states = await neighbours.states(link, many, late());
    expect(many.filter((_, i) => states[i] === undefined)).to.deep.equal([]);
  });

  it('says when somebody fixes an entry: asking would make an ordinary one of it', async () => {
    if (!here || !gone) throw new Error('no addresses');
    const end = new AbortController();
    const failures = neighbours.failures(AbortSignal.any([end.signal, late()]));
    const first = (async () => {
      for await (const ips of failures) return ips;
      return undefined;
    })();
    await fixture.setNeighbour('eip-lan', gone, mac);
    await ip(`neigh replace ${here} lladdr ${mac} dev eip-lan nud permanent`);
    expect(await first).to.deep.equal([here]);
    end.abort();
    await neighbours.solicit(link, [here]);
    expect(await neighbours.states(link, [here], late()), 'what asking does').to.not.deep.equal([
      'PERMANENT',
    ]);
  });

  it('finds out that a host is gone although its entry was given a long timer, once that is cut short', async () => {
    if (!here || !gone6) throw new Error('no addresses');
    const reading = hearOf(here, gone6);
    // Nobody has these addresses, and the kernel believes for half a minute that somebody answered.
    await fixture.setNeighbour('eip-lan', here, mac);
    await fixture.setNeighbour('eip-lan', gone6, mac);
    for (const family of ['ipv4', 'ipv6']) {
      await fixture.setSysctl(`net/${family}/neigh/eip-lan/base_reachable_time_ms`, '20');
      await fixture.setSysctl(`net/${family}/neigh/eip-lan/delay_first_probe_time`, '0');
    }
    await neighbours.solicit(link, [here, gone6]);
    expect(await neighbours.states(link, [here, gone6], late())).to.deep.equal(['REACHABLE', 'REACHABLE']);
    await neighbours.expire(link, [here, gone6]);
    await neighbours.solicit(link, [here, gone6]);
    expect(await reading).to.deep.equal([here, gone6]);
  });
});
