import type { Command } from 'commander';
import type { PoolStatus, PoolsStatus, UseStatus, WaitingStatus } from '../daemon/pools.ts';
import { printable, printableJson } from '../model/text.ts';
import { readGatewayOnly } from './any-config.ts';
import { type Cli, Failure } from './cli.ts';
import { type ExitCode, exit } from './exit.ts';
import { optionsOf } from './options.ts';
import type { Program } from './program.ts';

export function addPools({ root, run }: Program): void {
  root
    .command('pools')
    .description('show the pools, who holds what of them, and who waits for what and why')
    .option('--json', 'print JSON')
    .action(run(show));
}

async function show(cli: Cli, command: Command): Promise<ExitCode> {
  const { json } = optionsOf<{ readonly json?: boolean }>(command);
  const config = await readGatewayOnly(cli, command, 'pools');
  if (config === undefined) return exit.config;
  const { ask } = await import('../daemon/ask.ts');
  const status: PoolsStatus = JSON.parse(
    await ask(config.runtimeDirectory, 'gateway', 'GET', '/pools', cli.signal),
  );
  if (status.version !== 1) {
    throw new Failure(
      `the daemon speaks version ${status.version} of the pools, this program only 1: use the eiproute that is running`,
    );
  }
  cli.stdout.write(json ? `${printableJson(status)}\n` : poolsText(status));
  return exit.ok;
}

export function poolsText(status: PoolsStatus): string {
  const lines = [head(status), ...status.pools.flatMap(poolLines)];
  section(lines, 'Waiting for an address', status.waiting);
  section(lines, 'Not as they ask', status.otherwise);
  return lines.map((line) => `${printable(line)}\n`).join('');
}

function head({ allocates, lease }: PoolsStatus): string {
  if (!allocates)
    return 'eiproute assigns no addresses here (allocate: false); this is what the Services show';
  if (lease === undefined) return 'this gateway assigns addresses; it is the only one';
  if (lease.leads) return 'this gateway holds the Lease and assigns addresses';
  return `${lease.holder ?? 'no gateway'} holds the Lease and assigns addresses; this gateway only routes`;
}

function poolLines({ name, addresses, terms, use, held }: PoolStatus): readonly string[] {
  const words = [
    ...(terms.autoAssign ? [] : ['only on request']),
    ...(terms.avoidBuggyIps ? ['without .0 and .255'] : []),
    ...(terms.priority === undefined ? [] : [`priority ${terms.priority}`]),
    ...(terms.namespaces.length === 0 ? [] : [`for namespaces ${terms.namespaces.join(', ')}`]),
    ...Object.entries(terms.serviceSelector).map(([label, value]) => `for ${label}=${value}`),
    ...(terms.enforce ? ['enforced'] : []),
  ];
  const what = terms.nodeAddresses ? 'the addresses of the nodes' : addresses.join(' ');
  const width = Math.max(0, ...held.map(({ eip }) => eip.length));
  return [
    '',
    `pool ${name}: ${what}${words.length > 0 ? ` (${words.join('; ')})` : ''}`,
    ...(use.length > 0 ? [`  ${use.map(useText).join('; ')}`] : []),
    ...held.map(({ eip, services }) => `  ${eip.padEnd(width)}  ${services.join(', ')}`),
  ];
}

function useText({ family, size, used }: UseStatus): string {
  return `IPv${family}: ${used}${size === null ? '' : ` of ${size}`} in use`;
}

function section(lines: string[], title: string, entries: readonly WaitingStatus[]): void {
  if (entries.length === 0) return;
  lines.push('', `${title}:`);
  for (const { service, eips, since, message } of entries) {
    const has = eips.length === 0 ? '' : ` has ${eips.join(', ')}`;
    lines.push(`  ${service}${has}${since ? ` since ${since}` : ''}: ${message}`);
  }
}
