import { expect } from 'chai';
import { reportsOf } from '../../../src/kernel/segment-packets.ts';
import { parseIp } from '../../../src/model/ip.ts';

const mac = Uint8Array.of(2, 0, 0x5e, 0, 0x53, 1);

describe('reports of multicast groups', () => {
  it('name the group in which hosts solicit each IPv6 address, from the link-local address of the interface', () => {
    const [packet, ...more] = reportsOf(['198.51.100.10', '2001:db8:e::10'].map(parseIp), mac);
    expect(more).to.deep.equal([]);
    const hex = Buffer.from(packet?.bytes ?? []).toString('hex');
    // To ff02::16 with hop limit 1, a router alert, and one record of type 4 for ff02::1:ff00:10.
    expect(hex).to.match(
      /^6000000000240001fe8000000000000000005efffe005301ff020000000000000000000000000016 ?3a00050200000100/,
    );
    expect(hex).to.match(/8f00[0-9a-f]{4}0000000104000000ff0200000000000000000001ff000010$/);
  });

  it('fit into the smallest MTU, and there are none for IPv4', () => {
    const many = Array.from({ length: 130 }, (_, i) => parseIp(`2001:db8:e::${(i + 1).toString(16)}`));
    const packets = reportsOf(many, mac);
    expect(packets.map(({ bytes }) => bytes.length <= 1280)).to.deep.equal([true, true, true]);
    expect(reportsOf([parseIp('198.51.100.10')], mac)).to.deep.equal([]);
  });
});
