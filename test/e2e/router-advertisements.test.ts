import { expect } from 'chai';
import { GatewayHost } from './gateway-host.ts';
import { needRoot } from './root.ts';
import { until } from './until.ts';

/** One router advertisement: INTERFACE, router lifetime in s, prefix. The hop limit of NDP is 255. */
const advertise = `
import socket, struct, sys
link, lifetime, prefix = sys.argv[1:]
raw = socket.socket(socket.AF_INET6, socket.SOCK_RAW, 58)
raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
message = struct.pack('!BBHBBHII', 134, 0, 0, 64, 0, int(lifetime), 0, 0)
message += struct.pack('!BBBBIII16s', 3, 4, 64, 0xc0, 3600, 3600, 0, socket.inet_pton(socket.AF_INET6, prefix))
raw.sendto(message, ('ff02::1', 0, 0, socket.if_nametoindex(link)))
`;

describe('a gateway that has its IPv6 from router advertisements', () => {
  let host: GatewayHost;

  before(async function () {
    needRoot(this);
    host = await GatewayHost.make();
    await host.batch([
      'address add fe80::1/64 dev eth0-far nodad',
      'address add fe80::1/64 dev eth1-far nodad',
    ]);
    await hears('eth1', 1800, '2001:db8:77');
    await host.start();
  });
  after(async () => {
    await host?.[Symbol.asyncDispose]();
  });

  async function hears(link: string, lifetime: number, network: string): Promise<void> {
    const sent = await host.within(
      'python3',
      '-c',
      advertise,
      `${link}-far`,
      String(lifetime),
      `${network}::`,
    );
    expect(sent).to.include({ status: 0 });
    await until(
      `${link} has an address of ${network}::/64`,
      () => host.ip(`-6 address show dev ${link}`),
      (seen) => seen.includes(`inet6 ${network}:`),
    );
  }

  // Linux deletes it with the first write of `forwarding`, unless accept_ra is 2 by then.
  it('keeps its default route when it begins to forward', async () => {
    expect(host.sysctl('net/ipv6/conf/all/forwarding')).to.equal('1');
    expect(await host.ip('-6 route show default')).to.match(/^default via fe80::1 dev eth1 proto ra /);
  });

  it('goes on hearing them on the uplink, whose address would end with its lifetime', () =>
    hears('eth1', 0, '2001:db8:78'));
});
