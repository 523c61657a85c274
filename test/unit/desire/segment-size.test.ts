import { expect } from 'chai';
import { segmentSizes, segmentSizeTable } from '../../../src/desire/segment-size.ts';
import type { Refusals } from '../../../src/model/desired-object.ts';
import type { Gateway } from '../../../src/model/gateway.ts';
import { parsePrefix } from '../../../src/model/ip.ts';
import { type KernelObject, keyOf } from '../../../src/model/object.ts';
import { gateway } from '../../scene.ts';

function ports(addresses: readonly string[], rest: Partial<Gateway> = {}): Gateway {
  return gateway({ hash: 'ports', pools: [{ name: 'p', addresses: addresses.map(parsePrefix) }], ...rest });
}

describe('the size of TCP segments', () => {
  it('is lowered in the SYN of connections to the pools, of either family that they have', () => {
    const both = segmentSizeTable(ports(['198.51.100.0/24', '2001:db8:e::/64']))?.content;
    expect(both).to.include(
      'ip daddr 198.51.100.0/24 tcp flags & (syn | rst) == syn tcp option maxseg size set 1220\n',
    );
    expect(both).to.include('ip6 daddr 2001:db8:e::/64 tcp flags & (syn | rst) == syn');
    expect(segmentSizeTable(ports(['198.51.100.0/24'], { segmentSize: 1300 }))?.content)
      .to.include('size set 1300')
      .and.not.include('ip6');
  });

  it('is left alone where flows are spread by addresses, or somebody wants it so', () => {
    expect(segmentSizeTable(gateway())).to.equal(undefined);
    expect(segmentSizeTable(ports(['198.51.100.0/24'], { segmentSize: undefined }))).to.equal(undefined);
    expect(segmentSizeTable(ports([]))).to.equal(undefined);
  });

  it('is a problem in words when the table is refused, and stays wanted', () => {
    const settings = ports(['198.51.100.0/24']);
    const table = segmentSizeTable(settings);
    if (table === undefined) throw new Error('no table');
    const message = 'ENOSYS: there is no program nft in PATH';
    const refused: Refusals = new Map([
      [keyOf(table), { change: { verb: 'add', want: table }, code: 'ENOSYS', message }],
    ]);
    const objects: KernelObject[] = [];
    const problems = segmentSizes(settings, refused, (object) => objects.push(object));
    expect(objects).to.deep.equal([table]);
    expect(problems.map(({ code }) => code)).to.deep.equal(['segment-size']);
    expect(problems[0]?.message).to.include(message);
  });
});
