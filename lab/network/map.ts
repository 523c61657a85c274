import { type Ip, type Prefix, parseIp, parsePrefix } from '../../src/model/ip.ts';

/**
 * The demo's addresses, all from the documentation ranges but the node LAN and the pods, which look like any
 * cluster's.
 */
export interface Dual {
  readonly v4: Ip;
  readonly v6: Ip;
}

export const pools: readonly Prefix[] = ['198.51.100.0/24', '2001:db8:e::/64'].map(parsePrefix);
export const podNetworks: readonly Prefix[] = ['10.244.0.0/16', '2001:db8:244::/48'].map(parsePrefix);

/** Of ClusterIPs. */
export const serviceNetworks: readonly Prefix[] = ['10.96.0.0/16', '2001:db8:96::/108'].map(parsePrefix);

export const clientNetwork = { v4: 24, v6: 64 };
/** The upstream router: toward the clients, and on the segment it shares with the gateway. */
export const upstream = {
  inner: dual('192.0.2.1', '2001:db8:c::1'),
  outer: dual('203.0.113.254', '2001:db8:5::fe'),
};
/** The gateway: eth1 is its uplink, eth0 its LAN interface. */
export const gateway = {
  uplink: dual('203.0.113.1', '2001:db8:5::1'),
  lan: dual('10.0.0.1', '2001:db8:10::1'),
  lanMac: '02:00:0a:00:00:01',
};
/** A second gateway, where there is one. */
export const gateway2 = {
  uplink: dual('203.0.113.2', '2001:db8:5::2'),
  lan: dual('10.0.0.2', '2001:db8:10::2'),
  lanMac: '02:00:0a:00:00:02',
};
/** Another way to the world: the nodes' default route, with a firewall that knows only what came through it. */
export const other = {
  uplink: dual('203.0.113.253', '2001:db8:5::fd'),
  lan: dual('10.0.0.254', '2001:db8:10::fe'),
};
export const api = dual('10.0.0.10', '2001:db8:10::10');

/** @param index 0..15; many clients, since flows are spread over the nodes by their addresses */
export function client(index: number): Dual {
  return dual(`192.0.2.${100 + index}`, `2001:db8:c::${100 + index}`);
}
export const clients = 16;

/** @param index from 1 */
export function node(index: number): Dual {
  return dual(`10.0.0.${10 + index}`, `2001:db8:10::${10 + index}`);
}

/** The network of a node's pods; its own address in it is the first. */
export function podBridge(nodeIndex: number): Dual {
  return dual(`10.244.${nodeIndex}.1`, `2001:db8:244:${nodeIndex}::1`);
}

export function podNetwork(nodeIndex: number): { readonly v4: Prefix; readonly v6: Prefix } {
  return {
    v4: parsePrefix(`10.244.${nodeIndex}.0/24`),
    v6: parsePrefix(`2001:db8:244:${nodeIndex}::/64`),
  };
}

/** @param index from 1, counted on its node */
export function pod(nodeIndex: number, index: number): Dual {
  return dual(`10.244.${nodeIndex}.${10 + index}`, `2001:db8:244:${nodeIndex}::${10 + index}`);
}

/** The n-th EIP of each pool, from 1. */
export function eip(index: number): Dual {
  return dual(`198.51.100.${9 + index}`, `2001:db8:e::${9 + index}`);
}

function dual(v4: string, v6: string): Dual {
  return { v4: parseIp(v4), v6: parseIp(v6) };
}
