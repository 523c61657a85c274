import type { Command } from 'commander';
import { isToldRouters } from '../desire/pools.ts';
import { readWith } from '../kernel/program.ts';
import type { Gateway, Pool } from '../model/gateway.ts';
import { bits, type Family, families, family, type Prefix, prefixLength } from '../model/ip.ts';
import { readGatewayOnly } from './any-config.ts';
import { type Cli, Failure } from './cli.ts';
import { type ExitCode, exit } from './exit.ts';
import type { Program } from './program.ts';

export function addBird({ root, run }: Program): void {
  root
    .command('bird')
    .description('print what a configuration of BIRD 2 includes to announce the EIPs')
    .action(run(bird));
}

async function bird(cli: Cli, command: Command): Promise<ExitCode> {
  const config = await readGatewayOnly(cli, command, 'announcements');
  if (config === undefined) return exit.config;
  const { announce } = config.gateway;
  if (announce?.table === undefined)
    throw new Failure(
      'nothing is announced here (announce: false), and BIRD would see no EIP: set announce: true in the configuration of the gateway',
    );
  const asked = await readWith('bird', ['--version'], cli.signal);
  const version = asked.kind === 'ended' ? birdVersion(asked.out + asked.err) : undefined;
  cli.stdout.write(birdInclude(config.gateway, announce.table, version));
  return exit.ok;
}

/** The parts of a version, of what `bird --version` prints; undefined: it prints none. */
export function birdVersion(text: string): readonly number[] | undefined {
  return /(\d+)\.(\d+)(?:\.(\d+))?/
    .exec(text)
    ?.slice(1)
    .map((part = '0') => Number(part));
}

/**
 * Tables `eip4` and `eip6` with the EIPs that may be announced, and the filter `eip_out` for what is exported. BIRD reads the
 * announce table by notifications; the scan finds what these have missed. With the kernel's default of 208 KiB they
 * missed some of 10,000 EIPs that came at once, which were announced a minute later.
 *
 * @param version of the BIRD of this host; undefined: not known, so it is a recent one
 */
export function birdInclude(
  { pools, protocol }: Pick<Gateway, 'pools' | 'protocol'>,
  table: number,
  version?: readonly number[],
): string {
  // 2.0.9 brought it; an older one would refuse its whole configuration. FRR has as much by default in Debian.
  const [major = 2, minor = 0, patch = 9] = version ?? [];
  const isKnown = major > 2 || (major === 2 && (minor > 0 || patch >= 9));
  const buffer = isKnown
    ? '  netlink rx buffer 90000000;\n'
    : '  # 2.0.9 and newer: netlink rx buffer 90000000;\n';
  const kernel = (of: Family): string => `ipv${of} table eip${of};
protocol kernel eiproute${of} {
  kernel table ${table};
  learn;
  persist;
  scan time 60;
${buffer}  ipv${of} { table eip${of}; import where krt_source = ${protocol}; export none; };
}
`;
  return `# Made by "eiproute bird"; make it anew after a change of the pools. Include it, and export the tables eip4 and eip6 to your
# router with "import none; export filter eip_out;".
${kernel(4)}${kernel(6)}filter eip_out {
${pools.filter(isToldRouters).map(poolClauses).join('')}  reject;
}
`;
}

/** A set of BIRD holds prefixes of one family. */
function poolClauses(pool: Pool): string {
  return families
    .map((version) => {
      const sets = pool.addresses
        .filter((network) => family(network) === version)
        .map((network) => pattern(network, pool.aggregate?.[version]));
      if (sets.length === 0) return '';
      const communities = (pool.communities ?? []).map(
        (community) => `    bgp_community.add((${community.replace(':', ', ')}));\n`,
      );
      return `  if net ~ [ ${sets.join(', ')} ] then { # pool ${pool.name}
${communities.join('')}    accept;
  }
`;
    })
    .join('');
}

/** The single addresses of a network, or its aggregates in their place. */
function pattern(network: Prefix, aggregate: number | undefined): string {
  const length = aggregate ?? bits(family(network));
  return prefixLength(network) === length ? network : `${network}{${length},${length}}`;
}
