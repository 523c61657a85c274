import { expect } from 'chai';
import type { MakeKernelFixture } from './kernel-fixture.ts';
import { lan, Scenario, uplink } from './scenario.ts';

const patience = 3000;
const mac = '02:00:5e:00:53:01';
const newMac = '02:00:5e:00:53:02';

export function describeNeighbours(make: MakeKernelFixture): void {
  describe('neighbours', () => {
    let stage: Scenario;
    beforeEach(async () => {
      stage = await Scenario.open(make);
    });
    afterEach(() => stage.close());

    it('are those of the scope that are known, on the links they are asked for', async () => {
      expect((await stage.list()).neighbours).to.deep.equal([]);
      await stage.bench.setNeighbour(lan, '10.0.0.250', mac);
      await stage.bench.setNeighbour(lan, '2001:db8:10::250', mac);
      await stage.bench.setNeighbour(lan, '10.0.0.251', mac);
      await stage.bench.setNeighbour(uplink, '203.0.113.250', mac);
      expect((await stage.list()).neighbours).to.deep.equal([
        { ip: '10.0.0.250', link: stage.lan, mac },
        { ip: '2001:db8:10::250', link: stage.lan, mac },
      ]);
      await stage.bench.setNeighbour(lan, '10.0.0.250', newMac);
      await stage.bench.setNeighbour(lan, '2001:db8:10::250', undefined);
      expect((await stage.list()).neighbours).to.deep.equal([
        { ip: '10.0.0.250', link: stage.lan, mac: newMac },
      ]);
    });

    for (const [what, neighbour, mine, before, after] of [
      ['comes', '10.0.0.250', true, undefined, mac],
      ['comes by IPv6', '2001:db8:10::250', true, undefined, mac],
      ['moves', '10.0.0.250', true, mac, newMac],
      ['is forgotten', '10.0.0.250', true, mac, undefined],
      ['is nobody of ours', '10.0.0.251', false, undefined, mac],
    ] as const) {
      it(`are ${mine ? 'heard of' : 'not heard of'} when one ${what}`, async () => {
        await stage.bench.setNeighbour(lan, neighbour, before);
        const end = new AbortController();
        const hints = stage.kernel.hints(AbortSignal.any([end.signal, AbortSignal.timeout(patience)]));
        await stage.list();
        await stage.bench.setNeighbour(lan, neighbour, after);
        await stage.bench.addLink('eip-last');
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
