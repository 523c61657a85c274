import type { Command } from 'commander';
import { unreachableMetric } from '../desire/plain-routes.ts';
import { isToldRouters } from '../desire/pools.ts';
import type { Gateway, Pool } from '../model/gateway.ts';
import { bits, type Family, families, family, prefixLength } from '../model/ip.ts';
import { readGatewayOnly } from './any-config.ts';
import type { Cli } from './cli.ts';
import { type ExitCode, exit } from './exit.ts';
import type { Program } from './program.ts';

export function addFrr({ root, run }: Program): void {
  root
    .command('frr')
    .description('print prefix lists and route maps for FRR to announce the EIPs')
    .action(run(frr));
}

async function frr(cli: Cli, command: Command): Promise<ExitCode> {
  const config = await readGatewayOnly(cli, command, 'announcements');
  if (config === undefined) return exit.config;
  cli.stdout.write(frrInclude(config.gateway));
  return exit.ok;
}

/**
 * Route maps EIP4 and EIP6 for `redistribute kernel`. FRR announces nothing of the announce table, so it takes the routes of
 * the EIPs themselves, and these say nothing of a drain.
 */
export function frrInclude({ pools }: Pick<Gateway, 'pools'>): string {
  return `! Made by "eiproute frr"; make it anew after a change of the pools. In your "router bgp", for each address family:
!   redistribute kernel route-map EIP4   (EIP6 for IPv6)
! FRR reads the routes of the EIPs and not the announce table: "eiproute drain" and "active" do not reach it.
${families.map((version) => familyLines(pools.filter(isToldRouters), version)).join('')}`;
}

function familyLines(pools: readonly Pool[], version: Family): string {
  const ip = version === 4 ? 'ip' : 'ipv6';
  const lines: string[] = [];
  let sequence = 0;
  for (const pool of pools) {
    const own = pool.addresses.filter((network) => family(network) === version);
    if (own.length === 0) continue;
    const list = `EIP${version}-${pool.name}`;
    sequence += 10;
    lines.push(
      // A pool of a single address has its unreachable route beside that of the EIP: the metric tells them apart.
      ...own.map((network, i) => {
        const longest = bits(version);
        const ge = prefixLength(network) === longest ? '' : ` ge ${longest}`;
        return `${ip} prefix-list ${list} seq ${5 * (i + 1)} permit ${network}${ge}`;
      }),
      `route-map EIP${version} deny ${sequence - 5}`,
      ` match ${ip} address prefix-list ${list}`,
      ` match metric ${unreachableMetric}`,
      'exit',
      `route-map EIP${version} permit ${sequence}`,
      ` match ${ip} address prefix-list ${list}`,
      ...(pool.communities === undefined ? [] : [` set community ${pool.communities.join(' ')}`]),
      'exit',
    );
  }
  return lines.map((line) => `${line}\n`).join('');
}
