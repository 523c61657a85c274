import type { Command } from 'commander';
import { readGatewayOnly } from './any-config.ts';
import { type Cli, Failure } from './cli.ts';
import { markNode } from './drain-node.ts';
import { type ExitCode, exit } from './exit.ts';
import type { Program } from './program.ts';

export function addDrain({ root, run }: Program): void {
  root
    .command('drain [node]')
    .description('of a gateway: announce nothing any more, routes stay; of a node: give it no new flows')
    .option('--kubeconfig <file>', 'with the right to patch nodes (default: that of the gateway)')
    .action(run((cli, command) => drain(cli, command, 'drain')));
  root
    .command('undrain [node]')
    .description('of a gateway: announce again; of a node: give it new flows again')
    .option('--kubeconfig <file>', 'with the right to patch nodes (default: that of the gateway)')
    .action(run((cli, command) => drain(cli, command, 'undrain')));
}

async function drain(cli: Cli, command: Command, to: 'drain' | 'undrain'): Promise<ExitCode> {
  const [node] = command.args;
  return node === undefined ? order(cli, command, `/${to}`) : markNode(cli, command, node, to);
}

/** What the daemon answers once a round has seen the order. */
export interface DrainAnswer {
  readonly version: 1;
  /** Why nothing is announced; undefined: something may be. */
  readonly states: { readonly ipv4: string; readonly ipv6: string };
  /** Entries that announce an EIP now: in the announce table, and proxy neighbours. */
  readonly entries: number;
}

async function order(cli: Cli, command: Command, path: '/drain' | '/undrain'): Promise<ExitCode> {
  const config = await readGatewayOnly(cli, command, 'announcements');
  if (config === undefined) return exit.config;
  const { ask } = await import('../daemon/ask.ts');
  const text = await ask(config.runtimeDirectory, 'gateway', 'POST', path, cli.signal);
  const { entries, states }: DrainAnswer = JSON.parse(text);
  if (path === '/drain') {
    if (entries > 0)
      throw new Failure(
        `${entries} entries still announce EIPs: the kernel did not let them go; eiproute status says why`,
      );
    cli.stdout.write(
      'drained: nothing is announced any more, and what still comes here is routed; it stays so over a restart, until eiproute undrain\n',
    );
    return exit.ok;
  }
  const why = entries > 0 ? `${entries} entries announce EIPs` : `IPv4: ${states.ipv4}, IPv6: ${states.ipv6}`;
  cli.stdout.write(`not drained any more: ${why}\n`);
  return exit.ok;
}
