import { family, hostPrefix, type Ip, overlaps, type Prefix, parsePrefix } from './ip.ts';

// The kernel refuses routes to these, never looks them up, or other traffic would follow them.
const special: readonly (readonly [network: Prefix, what: string])[] = [
  [parsePrefix('0.0.0.0/8'), '"this network"'],
  [parsePrefix('127.0.0.0/8'), 'loopback'],
  [parsePrefix('169.254.0.0/16'), 'link-local'],
  [parsePrefix('224.0.0.0/4'), 'multicast'],
  [parsePrefix('255.255.255.255/32'), 'broadcast'],
  [parsePrefix('::/128'), 'the unspecified address'],
  [parsePrefix('::1/128'), 'loopback'],
  [parsePrefix('fe80::/10'), 'link-local'],
  [parsePrefix('ff00::/8'), 'multicast'],
];

/** The special use of an address or network; undefined: it can be an EIP. */
export function specialUse(network: Prefix): string | undefined {
  return special.find(([range]) => overlaps(range, network))?.[1];
}

/** Only programs of this host reach it. */
export function isLoopback(address: Ip): boolean {
  return specialUse(hostPrefix(address)) === 'loopback';
}

/** The special use of an address that no gateway can have on the LAN; undefined: one can. */
export function noGateway(address: Ip): string | undefined {
  const use = specialUse(hostPrefix(address));
  // An IPv6 router is often known by its link-local address only.
  return use === 'link-local' && family(address) === 6 ? undefined : use;
}
