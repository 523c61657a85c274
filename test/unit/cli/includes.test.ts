import { expect } from 'chai';
import { birdInclude, birdVersion } from '../../../src/cli/bird.ts';
import { frrInclude } from '../../../src/cli/frr.ts';
import type { Pool } from '../../../src/model/gateway.ts';
import { parsePrefix } from '../../../src/model/ip.ts';

const pools: readonly Pool[] = [
  {
    name: 'public',
    addresses: ['198.51.100.0/24', '2001:db8:e::/64'].map(parsePrefix),
    communities: ['65001:100', '65001:101'],
  },
  { name: 'few', addresses: ['192.0.2.10/32', '192.0.2.12/30'].map(parsePrefix) },
  {
    name: 'big',
    addresses: ['198.18.0.0/16', '203.0.112.0/24'].map(parsePrefix),
    aggregate: { 4: 24 },
    communities: ['65001:200'],
  },
];

/** Without the lines that are comments as a whole. */
function lines(text: string): readonly string[] {
  return text.split('\n').filter((line) => line !== '' && !/^[#!]/.test(line));
}

describe('the include for BIRD', () => {
  it('reads the announce table by our protocol, and exports the EIPs of each pool with its communities', () => {
    expect(lines(birdInclude({ pools, protocol: 87 }, 99))).to.deep.equal([
      'ipv4 table eip4;',
      'protocol kernel eiproute4 {',
      '  kernel table 99;',
      '  learn;',
      '  persist;',
      '  scan time 60;',
      '  netlink rx buffer 90000000;',
      '  ipv4 { table eip4; import where krt_source = 87; export none; };',
      '}',
      'ipv6 table eip6;',
      'protocol kernel eiproute6 {',
      '  kernel table 99;',
      '  learn;',
      '  persist;',
      '  scan time 60;',
      '  netlink rx buffer 90000000;',
      '  ipv6 { table eip6; import where krt_source = 87; export none; };',
      '}',
      'filter eip_out {',
      '  if net ~ [ 198.51.100.0/24{32,32} ] then { # pool public',
      '    bgp_community.add((65001, 100));',
      '    bgp_community.add((65001, 101));',
      '    accept;',
      '  }',
      '  if net ~ [ 2001:db8:e::/64{128,128} ] then { # pool public',
      '    bgp_community.add((65001, 100));',
      '    bgp_community.add((65001, 101));',
      '    accept;',
      '  }',
      '  if net ~ [ 192.0.2.10/32, 192.0.2.12/30{32,32} ] then { # pool few',
      '    accept;',
      '  }',
      '  if net ~ [ 198.18.0.0/16{24,24}, 203.0.112.0/24 ] then { # pool big',
      '    bgp_community.add((65001, 200));',
      '    accept;',
      '  }',
      '  reject;',
      '}',
    ]);
  });
});

describe('the include for a BIRD of some version', () => {
  it('sets the receive buffer where that BIRD knows it', () => {
    const sets = (printed: string): boolean =>
      lines(birdInclude({ pools, protocol: 86 }, 86, birdVersion(printed))).includes(
        '  netlink rx buffer 90000000;',
      );
    for (const version of ['2.0.9', '2.0.12', '2.13', '2.15.1', '3.0.0'])
      expect(sets(`BIRD version ${version}\n`), version).to.equal(true);
    for (const version of ['2.0.7', '2.0.8', '1.6.8'])
      expect(sets(`BIRD version ${version}\n`), version).to.equal(false);
    expect(sets(''), 'not known').to.equal(true);
  });
});

describe('the include for FRR', () => {
  it('has a prefix list and a clause of the route map for each pool and family', () => {
    expect(lines(frrInclude({ pools }))).to.deep.equal([
      'ip prefix-list EIP4-public seq 5 permit 198.51.100.0/24 ge 32',
      'route-map EIP4 deny 5',
      ' match ip address prefix-list EIP4-public',
      ' match metric 1000000',
      'exit',
      'route-map EIP4 permit 10',
      ' match ip address prefix-list EIP4-public',
      ' set community 65001:100 65001:101',
      'exit',
      'ip prefix-list EIP4-few seq 5 permit 192.0.2.10/32',
      'ip prefix-list EIP4-few seq 10 permit 192.0.2.12/30 ge 32',
      'route-map EIP4 deny 15',
      ' match ip address prefix-list EIP4-few',
      ' match metric 1000000',
      'exit',
      'route-map EIP4 permit 20',
      ' match ip address prefix-list EIP4-few',
      'exit',
      'ip prefix-list EIP4-big seq 5 permit 198.18.0.0/16 ge 32',
      'ip prefix-list EIP4-big seq 10 permit 203.0.112.0/24 ge 32',
      'route-map EIP4 deny 25',
      ' match ip address prefix-list EIP4-big',
      ' match metric 1000000',
      'exit',
      'route-map EIP4 permit 30',
      ' match ip address prefix-list EIP4-big',
      ' set community 65001:200',
      'exit',
      'ipv6 prefix-list EIP6-public seq 5 permit 2001:db8:e::/64 ge 128',
      'route-map EIP6 deny 5',
      ' match ipv6 address prefix-list EIP6-public',
      ' match metric 1000000',
      'exit',
      'route-map EIP6 permit 10',
      ' match ipv6 address prefix-list EIP6-public',
      ' set community 65001:100 65001:101',
      'exit',
    ]);
  });
});
