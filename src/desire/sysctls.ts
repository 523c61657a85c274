import type { Gateway } from '../model/gateway.ts';
import { family } from '../model/ip.ts';
import { sysctlName } from '../model/iproute.ts';
import type { Listing } from '../model/listing.ts';
import { isVirtualMac, keyOf, type Sysctl } from '../model/object.ts';
import type { Problem } from '../model/problem.ts';
import type { Add } from './plain-routes.ts';
import { servesFamily } from './pools.ts';

/**
 * The kernel settings of a gateway. Interface names are single path parts, dots and all.
 *
 * @param has whether this kernel has the setting
 */
function gatewaySysctls(gateway: Gateway, has: (name: string) => boolean): readonly Sysctl[] {
  const { lan, uplink } = gateway;
  const values: [name: string, value: string][] = [];

  values.push(
    ['net/ipv4/ip_forward', '1'],
    // It sets those of the interfaces, by which the kernel goes, when it changes itself; anybody may set them since.
    [`net/ipv4/conf/${lan}/forwarding`, '1'],
    [`net/ipv4/conf/${uplink}/forwarding`, '1'],
    // The kernel uses the larger of `all` and the interface: 0 must stand in both.
    ['net/ipv4/conf/all/rp_filter', '0'],
    [`net/ipv4/conf/${lan}/rp_filter`, '0'],
    [`net/ipv4/conf/${uplink}/rp_filter`, '0'],
    // Otherwise the gateway sends ICMP redirects to hosts on the LAN.
    ['net/ipv4/conf/all/send_redirects', '0'],
    [`net/ipv4/conf/${lan}/send_redirects`, '0'],
    ...hashing(gateway, 'ipv4', has),
    ['net/ipv4/nexthop_compat_mode', gateway.nexthopCompat ? '1' : '0'],
    ...(gateway.hashSeed === undefined ? [] : [seed(gateway.hashSeed)]),
    ...neighbourTimers(gateway, 'ipv4'),
  );
  const segment = gateway.announce?.segment;
  // The kernel's own 0.8 s are for proxies that a real host should outrun, and 64 answers wait at most.
  if (segment !== undefined)
    values.push(
      // Without it Linux answers ARP for nobody else.
      [`net/ipv4/conf/${segment}/forwarding`, '1'],
      [`net/ipv4/neigh/${segment}/proxy_delay`, '0'],
    );
  if (servesFamily(gateway, 6)) {
    if (segment !== undefined)
      values.push(
        // As for ARP.
        [ipv6ForwardingOf(segment), '1'],
        [`net/ipv6/neigh/${segment}/proxy_delay`, '0'],
        [`net/ipv6/conf/${segment}/proxy_ndp`, '1'],
      );
    values.push(
      // What IPv6 forwards goes by this one, and not by those of the interfaces.
      [ipv6ForwardingOf('all'), '1'],
      ...hashing(gateway, 'ipv6', has),
      ...neighbourTimers(gateway, 'ipv6'),
    );
  }
  return values.map(([name, value]) => ({ kind: 'sysctl', name, value }));
}

/** Source and destination, protocol, source port and destination port. */
const fiveTuple = String(0x01 | 0x02 | 0x04 | 0x10 | 0x20);

/**
 * Policy 1 takes a hash that a packet brings with it: a network card's, whose key is another one on each host and after each
 * start, or that of a socket on this host, which changes. Policy 3 asks the packet alone (Linux 5.14).
 */
function hashing(
  { hash }: Gateway,
  ip: 'ipv4' | 'ipv6',
  has: (name: string) => boolean,
): [name: string, value: string][] {
  const policy = `net/${ip}/fib_multipath_hash_policy`;
  const fields = `net/${ip}/fib_multipath_hash_fields`;
  if (hash === 'addresses') return [[policy, '0']];
  if (!has(fields)) return [[policy, '1']];
  return [
    [fields, fiveTuple],
    [policy, '3'],
  ];
}

/** It governs IPv6 as well. */
function seed(value: number): [name: string, value: string] {
  return [hashSeed, String(value)];
}

const hashSeed = 'net/ipv4/fib_multipath_hash_seed';

function neighbourTimers(gateway: Gateway, ip: 'ipv4' | 'ipv6'): [name: string, value: string][] {
  const folder = `net/${ip}/neigh/${gateway.lan}`;
  const { reachableMs, delaySeconds, retransMs } = gateway.neighbour;
  return [
    [`${folder}/base_reachable_time_ms`, String(reachableMs)],
    [`${folder}/delay_first_probe_time`, String(delaySeconds)],
    [`${folder}/retrans_time_ms`, String(retransMs)],
  ];
}

/**
 * Adds every setting that this machine has, and reports the missing ones.
 *
 * Settings of a missing interface are not reported: the interface has its own problem.
 */
export function sysctls(gateway: Gateway, have: Listing, add: Add): readonly Problem[] {
  const problems: Problem[] = [];
  const names = new Set(have.links.map(({ name }) => name));
  for (const sysctl of [
    ...gatewaySysctls(gateway, (name) => have.objects.has(`sysctl ${name}`)),
    ...advertisements(gateway, have),
    ...linkLocal(gateway, have),
  ]) {
    if (have.objects.has(keyOf(sysctl))) add(sysctl, { text: 'gateway settings' });
    else if (interfaceGone(sysctl.name, names)) continue;
    else problems.push(missing(sysctl.name));
  }
  return problems;
}

/** Paths of all sysctls that {@link sysctls} may desire, and that {@link withoutIpv6} reads, for the listing. */
export function sysctlNames(gateway: Gateway): readonly string[] {
  const segment = gateway.announce?.segment;
  return [
    ...gatewaySysctls(gateway, () => true).map(({ name }) => name),
    acceptRa(gateway.uplink),
    ...(segment !== undefined && answersNdp(gateway)
      ? [disableIpv6(segment), ...linkLocalOn(segment).map(({ name }) => name)]
      : []),
  ];
}

/**
 * With IPv6 forwarding, an interface with accept_ra=1 ignores router advertisements: the default route that it got from
 * one is gone at once, and its address when that ends; 2 keeps both. A host that has forwarded before is left unchanged,
 * and so is the LAN, whose router would become a way to clients.
 */
function advertisements(gateway: Gateway, have: Listing): readonly Sysctl[] {
  const { uplink } = gateway;
  const own = gateway.defaultRoutes.some((via) => family(via) === 6);
  if (own || !servesFamily(gateway, 6)) return [];
  const before = (path: string): string | undefined => {
    const present = have.objects.get(`sysctl ${path}`);
    return have.formerSysctls.get(path) ?? (present?.kind === 'sysctl' ? present.value : undefined);
  };
  const begins =
    before(ipv6ForwardingOf('all')) === '0' ||
    (uplink === gateway.announce?.segment && before(ipv6ForwardingOf(uplink)) === '0');
  const name = acceptRa(uplink);
  return begins && before(name) === '1' ? [{ kind: 'sysctl', name, value: '2' }] : [];
}

/**
 * keepalived keeps the interface of a virtual link-layer address without a link-local address. Linux then answers no
 * question that comes from one: none of a router, and none by which a host finds out whether a neighbour is still there.
 */
function linkLocal(gateway: Gateway, { links }: Listing): readonly Sysctl[] {
  const segment = gateway.announce?.segment;
  if (segment === undefined || !answersNdp(gateway)) return [];
  const mac = links.find(({ name }) => name === segment)?.mac;
  return mac !== undefined && isVirtualMac(mac) ? linkLocalOn(segment) : [];
}

function linkLocalOn(segment: string): readonly Sysctl[] {
  const conf = `net/ipv6/conf/${segment}`;
  return [
    // The other gateway has the same address there: neither asks whether it is taken.
    { kind: 'sysctl', name: `${conf}/accept_dad`, value: '0' },
    { kind: 'sysctl', name: `${conf}/addr_gen_mode`, value: '0' },
  ];
}

/** Linux answers no NDP on an interface where IPv6 is off, as it is on those that keepalived makes for a virtual MAC. */
export function withoutIpv6(gateway: Gateway, have: Pick<Listing, 'objects'>): readonly Problem[] {
  const segment = gateway.announce?.segment;
  if (segment === undefined || !answersNdp(gateway)) return [];
  const found = have.objects.get(`sysctl ${disableIpv6(segment)}`);
  if (found?.kind !== 'sysctl' || found.value === '0') return [];
  return [
    {
      code: 'segment-without-ipv6',
      severity: 'error',
      subject: `IPv6 on ${segment}`,
      message: `IPv6 is off on ${segment} (${sysctlName(disableIpv6(segment))} is ${found.value}): Linux answers no NDP there, and no IPv6 EIP of layer 2 is found`,
      advice:
        'name an interface with IPv6 in layer2.interface; keepalived switches it off where use_vmac has only IPv4 addresses',
    },
  ];
}

/** A pool with IPv6 addresses is announced by layer 2. */
function answersNdp({ pools }: Gateway): boolean {
  return pools.some(
    ({ announce, addresses }) => announce === 'layer2' && addresses.some((one) => family(one) === 6),
  );
}

function disableIpv6(link: string): string {
  return `net/ipv6/conf/${link}/disable_ipv6`;
}

function acceptRa(link: string): string {
  return `net/ipv6/conf/${link}/accept_ra`;
}

function ipv6ForwardingOf(link: string): string {
  return `net/ipv6/conf/${link}/forwarding`;
}

const seedMissing: Problem = {
  code: 'hash-seed',
  severity: 'warn',
  subject: 'hashSeed',
  message: `this kernel has no ${sysctlName(hashSeed)} (Linux has it since 6.11): another gateway picks other nodes for the same flows, and these break when their traffic moves there`,
  advice: 'run Linux 6.11 or newer on all gateways, or take hashSeed out of the configuration',
};

function interfaceGone(name: string, links: ReadonlySet<string>): boolean {
  const [, , folder, link] = name.split('/');
  return (
    (folder === 'conf' || folder === 'neigh') && link !== undefined && link !== 'all' && !links.has(link)
  );
}

function missing(name: string): Problem {
  if (name === hashSeed) return seedMissing;
  return {
    code: 'sysctl-missing',
    severity: 'error',
    subject: `sysctl ${sysctlName(name)}`,
    message: `this kernel has no ${sysctlName(name)} (/proc/sys/${name})`,
    advice: name.startsWith('net/ipv6/')
      ? 'IPv6 is switched off on this machine (ipv6.disable=1): enable it, or take the IPv6 networks out of the pools'
      : 'eiproute needs Linux 5.10 or newer',
  };
}
