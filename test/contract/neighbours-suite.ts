import { expect } from 'chai';
import { late } from '../patience.ts';
import type { MakeKernelFixture } from './kernel-fixture.ts';
import { lan, Scenario, uplink } from './scenario.ts';

const mac = '02:00:5e:00:53:01';
const newMac = '02:00:5e:00:53:02';

export function describeNeighbours(make: MakeKernelFixture): void {
  describe('neighbours', () => {
    let scenario: Scenario;
    beforeEach(async () => {
      scenario = await Scenario.open(make);
    });
    afterEach(() => scenario.close());

    it('are those of the scope that are known, on the links they are asked for', async () => {
      expect((await scenario.list()).neighbours).to.deep.equal([]);
      await scenario.fixture.setNeighbour(lan, '10.0.0.250', mac);
      await scenario.fixture.setNeighbour(lan, '2001:db8:10::250', mac);
      await scenario.fixture.setNeighbour(lan, '10.0.0.251', mac);
      await scenario.fixture.setNeighbour(uplink, '203.0.113.250', mac);
      expect((await scenario.list()).neighbours).to.deep.equal([
        { ip: '10.0.0.250', link: scenario.lan, mac },
        { ip: '2001:db8:10::250', link: scenario.lan, mac },
      ]);
      await scenario.fixture.setNeighbour(lan, '10.0.0.250', newMac);
      await scenario.fixture.setNeighbour(lan, '2001:db8:10::250', undefined);
      expect((await scenario.list()).neighbours).to.deep.equal([
        { ip: '10.0.0.250', link: scenario.lan, mac: newMac },
      ]);
    });

    for (const [what, neighbour, mine, before, after] of [
      ['comes', '10.0.0.250', true, undefined, mac],
      ['comes by IPv6', '2001:db8:10::250', true, undefined, mac],
      ['moves', '10.0.0.250', true, mac, newMac],
      ['is forgotten', '10.0.0.250', true, mac, undefined],
      ['is none of ours', '10.0.0.251', false, undefined, mac],
    ] as const) {
      it(`are ${mine ? 'announced' : 'not announced'} when one ${what}`, async () => {
        await scenario.fixture.setNeighbour(lan, neighbour, before);
        const end = new AbortController();
        const hints = scenario.kernel.hints(AbortSignal.any([end.signal, late()]));
        await scenario.list();
        await scenario.fixture.setNeighbour(lan, neighbour, after);
        await scenario.fixture.addLink('eip-last');
        const kinds: string[] = [];
        for await (const { kind } of hints) {
          kinds.push(kind);
          if (kind === 'link') break;
        }
        expect(kinds.includes('neighbour')).to.equal(mine);
        end.abort();
      });
    }
  });
}
