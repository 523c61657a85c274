/**
 * The settings that a router touches, with the values of a fresh network namespace (seen on Linux 6.18). `IF`
 * stands for every interface, and for `all` and `default`, or `default` alone below `neigh`.
 */
const fresh: Readonly<Record<string, string>> = {
  'net/ipv4/ip_forward': '0',
  'net/ipv4/fib_multipath_hash_fields': '7',
  'net/ipv4/fib_multipath_hash_policy': '0',
  'net/ipv4/fib_multipath_hash_seed': '0',
  'net/ipv4/fib_multipath_use_neigh': '0',
  'net/ipv4/nexthop_compat_mode': '1',
  'net/ipv4/conf/IF/accept_local': '0',
  'net/ipv4/conf/IF/arp_announce': '0',
  'net/ipv4/conf/IF/arp_ignore': '0',
  'net/ipv4/conf/IF/forwarding': '0',
  'net/ipv4/conf/IF/ignore_routes_with_linkdown': '0',
  'net/ipv4/conf/IF/proxy_arp': '0',
  'net/ipv4/conf/IF/rp_filter': '0',
  'net/ipv4/conf/IF/send_redirects': '1',
  'net/ipv4/conf/IF/src_valid_mark': '0',
  'net/ipv4/neigh/IF/base_reachable_time_ms': '30000',
  'net/ipv4/neigh/IF/delay_first_probe_time': '5',
  'net/ipv4/neigh/IF/proxy_delay': '80',
  'net/ipv4/neigh/IF/retrans_time_ms': '1000',
  'net/ipv6/fib_multipath_hash_fields': '7',
  'net/ipv6/fib_multipath_hash_policy': '0',
  'net/ipv6/conf/IF/accept_ra': '1',
  'net/ipv6/conf/IF/disable_ipv6': '0',
  'net/ipv6/conf/IF/forwarding': '0',
  'net/ipv6/conf/IF/proxy_ndp': '0',
  'net/ipv6/neigh/IF/base_reachable_time_ms': '30000',
  'net/ipv6/neigh/IF/delay_first_probe_time': '5',
  'net/ipv6/neigh/IF/proxy_delay': '80',
  'net/ipv6/neigh/IF/retrans_time_ms': '1000',
};

/** path -> value, for what exists without any interface. */
export function globalSysctls(): Map<string, string> {
  const found = new Map<string, string>();
  for (const [path, value] of Object.entries(fresh)) {
    if (!path.includes('/IF/')) found.set(path, value);
    else found.set(path.replace('/IF/', '/default/'), value);
    if (path.includes('/conf/IF/')) found.set(path.replace('/IF/', '/all/'), value);
  }
  return found;
}

/**
 * What comes and goes with an interface: a new one starts with the values of `default`.
 *
 * @returns path -> value
 */
export function linkSysctls(name: string, now: ReadonlyMap<string, string>): Map<string, string> {
  const found = new Map<string, string>();
  for (const [path, value] of Object.entries(fresh)) {
    if (!path.includes('/IF/')) continue;
    found.set(
      path.replace('/IF/', () => `/${name}/`),
      now.get(path.replace('/IF/', '/default/')) ?? value,
    );
  }
  return found;
}

/** The settings that a write of this one sets as well: forwarding as a whole is every interface's. */
export function followers(path: string, now: ReadonlyMap<string, string>): readonly string[] {
  const ipv4 = path === 'net/ipv4/ip_forward' || path === 'net/ipv4/conf/all/forwarding';
  if (ipv4) {
    return [...now.keys()].filter((one) => /^net\/ipv4\/(ip_forward|conf\/.+\/forwarding)$/.test(one));
  }
  if (path !== 'net/ipv6/conf/all/forwarding') return [path];
  return [...now.keys()].filter((one) => /^net\/ipv6\/conf\/.+\/forwarding$/.test(one));
}

/**
 * The value as it reads back: neighbour times are kept in jiffies, 4 ms each where CONFIG_HZ is 250 (Debian), so
 * 250 written is 252 read.
 */
export function kept(path: string, value: string): string {
  if (!/^net\/ipv[46]\/neigh\/.+\/(base_reachable|retrans)_time_ms$/.test(path)) return value;
  return String(Math.ceil(Number(value) / 4) * 4);
}

/** Whether Linux tells when this setting changes (RTNLGRP_NETCONF); of most it does not. */
export function announced(path: string): boolean {
  return /^net\/(ipv4\/ip_forward|ipv[46]\/conf\/.+\/(forwarding|rp_filter|proxy_arp|proxy_ndp|ignore_routes_with_linkdown))$/.test(
    path,
  );
}
