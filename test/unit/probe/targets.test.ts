import { expect } from 'chai';
import { parseIp } from '../../../src/model/ip.ts';
import type { Link, LinkAddress } from '../../../src/model/object.ts';
import { targetsOn } from '../../../src/probe/targets.ts';

const four: LinkAddress = { ip: parseIp('10.0.0.1'), length: 24 };
const six: LinkAddress = { ip: parseIp('2001:db8:10::1'), length: 64 };
const own: LinkAddress = { ip: parseIp('fe80::1'), length: 64 };

function lan(...addresses: readonly LinkAddress[]): Link {
  return { index: 2, name: 'eth0', up: true, carrier: true, addresses };
}

const nodes = ['10.0.0.11', '2001:db8:10::11', '192.0.2.11', '10.0.0.1'].map((ip) => ({
  node: 'n1',
  ip: parseIp(ip),
}));
const asked = (link: Link | undefined): string =>
  targetsOn(link, nodes)
    .nodes.map(({ ip }) => ip)
    .join(' ');

describe('whom the probe asks', () => {
  it('is nobody without an interface', () => {
    expect(targetsOn(undefined, nodes)).to.deep.equal({ lan: undefined, nodes: [] });
  });

  it('is every node in a network of the LAN, but not this gateway', () => {
    expect(asked(lan(four, six, own))).to.equal('10.0.0.11 2001:db8:10::11');
    expect(targetsOn(lan(four, six, own), nodes)).to.have.keys('lan', 'nodes');
    expect(asked(lan(four))).to.equal('10.0.0.11');
  });

  it('is nobody by IPv6 while the link-local address is tentative, and says that some are missing', () => {
    const tentative = lan(four, six, { ...own, tentative: true });
    expect(asked(tentative)).to.equal('10.0.0.11');
    expect(targetsOn(tentative, nodes).isPartial).to.equal(true);
    expect(targetsOn(lan(four, { ...own, tentative: true }), nodes)).to.have.keys('lan', 'nodes');
  });

  it('is everybody where one link-local address can be used, or none is there', () => {
    const other = { ip: parseIp('fe80::2'), length: 64, tentative: true as const };
    expect(asked(lan(four, six, other, own))).to.equal('10.0.0.11 2001:db8:10::11');
    // The kernel never asks then, and every node is silent: that is worth an error.
    expect(asked(lan(four, six))).to.equal('10.0.0.11 2001:db8:10::11');
    expect(asked(lan(four, { ...six, tentative: true }, own))).to.equal('10.0.0.11 2001:db8:10::11');
  });
});
