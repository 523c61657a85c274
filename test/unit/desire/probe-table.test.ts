import { expect } from 'chai';
import { probeTable } from '../../../src/desire/probe-table.ts';
import { parseIp } from '../../../src/model/ip.ts';
import { gateway } from '../../scene.ts';

describe('the table by which single nodes are asked', () => {
  it('copies what is marked with the number of a node to it, and drops the rest of it', () => {
    const nodes = new Map([
      [parseIp('10.0.0.11'), 1],
      [parseIp('10.0.0.12'), 2],
    ]);
    const table = probeTable(gateway(), nodes, 4);
    expect(`${table?.family} ${table?.name}`).to.equal('ip eiproute-probe4-86');
    expect(table?.content).to.equal(`  map nodes {
    type mark : ipv4_addr
    elements = { 0xc5560001 : 10.0.0.11, 0xc5560002 : 10.0.0.12 }
  }
  chain output {
    type filter hook output priority -160; policy accept;
    meta mark & 0xffff0000 == 0x45560000 meta mark set meta mark | 0x80000000 dup to meta mark map @nodes device "eth0" drop
  }
`);
  });

  it('has names and marks of its own for each family and each protocol', () => {
    const table = probeTable(gateway({ protocol: 87 }), new Map([[parseIp('2001:db8:10::11'), 7]]), 6);
    expect(`${table?.family} ${table?.name}`).to.equal('ip6 eiproute-probe6-87');
    expect(table?.content).to.contain('type mark : ipv6_addr').and.to.contain('0xc5570007 : 2001:db8:10::11');
  });

  it('is not there when nobody is asked', () => {
    expect(probeTable(gateway(), new Map(), 4)).to.equal(undefined);
  });
});
