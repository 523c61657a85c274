import { expect } from 'chai';
import fc from 'fast-check';
import { admitted, mostEntries, tooManyRanges } from '../../../src/desire/source-ranges.ts';
import type { Service, ServicePort } from '../../../src/model/cluster.ts';
import {
  ipFromNumber,
  isWithin,
  networkOf,
  type Prefix,
  parseIp,
  parsePrefix,
} from '../../../src/model/ip.ts';
import { service } from '../../scene.ts';

const eip = parseIp('198.51.100.10');

function ports(count: number): readonly ServicePort[] {
  return Array.from({ length: count }, (_, i) => ({
    name: '',
    protocol: 'TCP' as const,
    port: i + 1,
    nodePort: 30_000 + i,
  }));
}

function limited(sourceRanges: readonly Prefix[], count = 1): Service {
  return service('web', [eip], { sourceRanges, ports: ports(count) });
}

/** Networks that lie beside each other. */
function networks(count: number): readonly Prefix[] {
  return Array.from({ length: count }, (_, i) => parsePrefix(`10.${i >> 8}.${i & 255}.0/24`));
}

describe('who may connect by NAT', () => {
  it('is in one of the networks that are in no other, whatever their order', () => {
    const network = fc
      .tuple(fc.bigInt({ min: 0n, max: 63n }), fc.integer({ min: 24, max: 32 }))
      .map(([host, length]) => networkOf(ipFromNumber(0xc6336400n + host, 4), length));
    fc.assert(
      fc.property(fc.uniqueArray(network, { minLength: 1, maxLength: 12 }), (all) => {
        const outer = all.filter((one) => !all.some((other) => other !== one && isWithin(one, other)));
        expect(admitted(limited(all), 4))
          .to.have.members(outer)
          .and.have.length(outer.length);
      }),
    );
  });

  it('is nobody where there would be too many pairs of a port and a network, and this is told', () => {
    const few = limited(networks(mostEntries / 20), 20);
    expect(admitted(few, 4)).to.have.length(mostEntries / 20);
    expect(tooManyRanges(eip, few)).to.equal(undefined);
    const many = limited(networks(mostEntries / 20 + 1), 20);
    expect(admitted(many, 4)).to.deep.equal([]);
    expect(tooManyRanges(eip, many)?.message).to.equal(
      'Service default/web lets 101 networks connect to 20 ports by spec.loadBalancerSourceRanges, and NAT has room for 2000 pairs of both: nobody can connect to it at 198.51.100.10',
    );
    // Of the other family there is none, and so no word.
    expect(admitted(many, 6)).to.equal(undefined);
    expect(tooManyRanges(parseIp('2001:db8:e::10'), many)).to.equal(undefined);
  });

  it('is found of as many networks as an object of the API has room for', function () {
    // It takes a tenth of a second; when each was compared with each it took minutes, and for each port again.
    this.timeout(30_000);
    expect(admitted(limited(networks(60_000), 1000), 4)).to.deep.equal([]);
  });
});
