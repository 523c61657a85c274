import { defaultNat, type Gateway, type Mode, type Nat, type Pool } from '../model/gateway.ts';
import { contains, family, hostPrefix, type Ip } from '../model/ip.ts';
import { specialUse } from '../model/special-use.ts';
import type { Layers } from './layers.ts';
import type { Readings, Surroundings } from './readings.ts';
import { leaves } from './schema.ts';

/** @returns without `nat` where no pool has mode nat */
export function readNat(
  layers: Layers,
  { report, optional, preset }: Readings,
  { lan, uplink, pools, hashSeed, warnings }: Surroundings,
): Pick<Gateway, 'mode' | 'nat'> {
  const mode: Mode = preset(leaves.mode);
  const source = preset(leaves.natSource);
  const inside = optional(leaves.natInside) ?? [];
  const affinity = preset(leaves.natAffinity);
  const seed = optional(leaves.natSeed) ?? hashSeed ?? defaultNat.seed;
  if (mode === 'routed' && pools.every((pool) => (pool.mode ?? mode) === 'routed')) {
    for (const { key } of [leaves.natSource, leaves.natInside, leaves.natAffinity, leaves.natSeed])
      if (layers.origin(key).kind !== 'default')
        warnings.push({
          origin: layers.origin(key),
          key,
          what: 'does nothing without mode: nat, here or in a pool',
        });
    return {};
  }
  const nat: Nat = { source, inside, affinity, seed };
  if (typeof source !== 'string') checkSource(source, pools, (what) => report(leaves.natSource.key, what));
  if (inside.length > 0 && source !== 'preserve')
    report(leaves.natInside.key, 'does nothing where nat.source changes the address of every client');
  if (source === 'preserve' && lan === uplink && inside.length === 0)
    warnings.push({
      origin: layers.origin(leaves.uplink.key),
      key: leaves.natInside.key,
      what: `is not set, and lan and uplink are one interface (${lan}): name the networks of the nodes and pods, or they cannot reach EIPs`,
    });
  return { ...(mode === 'nat' ? { mode } : {}), nat };
}

function checkSource(source: readonly Ip[], pools: readonly Pool[], report: (what: string) => void): void {
  source.forEach((ip, i) => {
    const use = specialUse(hostPrefix(ip));
    if (use !== undefined) report(`${ip} cannot be the address of this gateway on the LAN (${use})`);
    const other = source.find((one, j) => j < i && family(one) === family(ip));
    if (other) report(`${other} and ${ip} are both IPv${family(ip)}; there is one address per family`);
    const pool = pools.find(({ addresses }) => addresses.some((network) => contains(network, ip)));
    if (pool) report(`${ip} is inside pool "${pool.name}"; it must not be an EIP`);
  });
}
