import type { Announce, Pool } from '../model/gateway.ts';
import { contains, family, hostPrefix, type Ip } from '../model/ip.ts';
import { specialUse } from '../model/special-use.ts';
import type { Layers } from './layers.ts';
import type { Readings, Surroundings } from './readings.ts';
import { leaves } from './schema.ts';

/**
 * Reads how the EIPs are announced, and checks the keys that depend on it.
 *
 * @returns undefined when nothing is announced
 */
export function readAnnounce(
  layers: Layers,
  { report, optional, preset }: Readings,
  { lan, uplink, pools, hashSeed, warnings }: Surroundings,
): Announce | undefined {
  const announce = preset(leaves.announce);
  const announceTable = preset(leaves.announceTable);
  if (announce && announceTable === preset(leaves.table))
    report(
      leaves.announceTable.key,
      `${announceTable} is the table of the routes; announcements need another one`,
    );
  pools.forEach((pool, i) => {
    if (pool.announce === 'bgp' && !announce)
      report(
        `pools[${i}].announce`,
        'bgp does nothing without announce: true, the table that routing daemons read',
      );
  });
  const segment = readSegment(pools, optional(leaves.layer2Interface), { lan, uplink }, (what) =>
    report(leaves.layer2Interface.key, what),
  );
  const active = optional(leaves.activeAddress) ?? [];
  checkActive(active, pools, (what) => report(leaves.activeAddress.key, what));
  const announces = announce || segment !== undefined;
  if (active.length > 0 && !announces)
    report(leaves.activeAddress.key, 'does nothing without announce: true, or a pool with announce: layer2');
  if (active.length > 0 && hashSeed === undefined) {
    warnings.push({
      origin: layers.origin(leaves.activeAddress.key),
      key: leaves.hashSeed.key,
      what: 'is not set: the other gateway picks other nodes for the same flows, and these break when it takes over; set one number on both',
    });
  }
  if (!announces) return undefined;
  return {
    table: announce ? announceTable : undefined,
    ...(segment === undefined ? {} : { segment }),
    active,
  };
}

function checkActive(active: readonly Ip[], pools: readonly Pool[], report: (what: string) => void): void {
  active.forEach((ip, i) => {
    const use = specialUse(hostPrefix(ip));
    if (use !== undefined) report(`${ip} cannot be an address that moves between gateways (${use})`);
    const other = active.find((one, j) => j < i && family(one) === family(ip));
    if (other) report(`${other} and ${ip} are both IPv${family(ip)}; there is one address per family`);
    const pool = pools.find(({ addresses }) => addresses.some((network) => contains(network, ip)));
    if (pool) report(`${ip} is inside pool "${pool.name}"; it must not be an EIP`);
  });
}

/**
 * The interface of layer 2.
 *
 * @returns undefined without a pool that is announced by it
 */
function readSegment(
  pools: readonly Pool[],
  named: string | undefined,
  { lan, uplink }: { readonly lan: string; readonly uplink: string },
  report: (what: string) => void,
): string | undefined {
  if (!pools.some(({ announce }) => announce === 'layer2')) {
    if (named !== undefined) report('does nothing without a pool with announce: layer2');
    return undefined;
  }
  const segment = named ?? uplink;
  // arp_process() in net/ipv4/arp.c: a proxy entry counts only where the route leaves by another interface.
  if (segment === lan && lan !== '')
    report(`${lan} is lan: Linux answers no ARP for what it forwards to the interface that asks`);
  return segment;
}
