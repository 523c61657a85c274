import type { Command } from 'commander';
import type { GatewayConfig } from '../config/config.ts';
import { ownerOf } from '../model/owner.ts';
import type { Role } from '../reconcile/reconciler.ts';
import { readAnyConfig } from './any-config.ts';
import { type Cli, printJson } from './cli.ts';
import { type ExitCode, exit } from './exit.ts';
import { optionsOf } from './options.ts';
import type { Program } from './program.ts';

export function addPurge({ root, run }: Program): void {
  root
    .command('purge')
    .description(
      'remove everything that is ours from the kernel, and put settings back; the daemon must be stopped',
    )
    .option('--json', 'print JSON')
    .action(run(purge));
}

/** The line with an empty desire. */
async function purge(cli: Cli, command: Command): Promise<ExitCode> {
  const loaded = await readAnyConfig(cli, command);
  if (loaded === undefined) return exit.config;
  const { lock } = await import('../daemon/lock.ts');
  const { LinuxKernel } = await import('../kernel/linux.ts');
  const { Reconciler } = await import('../reconcile/reconciler.ts');
  const { commandOf } = await import('./changes.ts');
  const { emptyNodeRole } = await import('../daemon/node-role.ts');
  const { openNodeKernel } = await import('../daemon/node.ts');
  const { removeNames } = await import('../daemon/names.ts');
  const ofNode = loaded.role === 'node' ? loaded.config : undefined;
  const role = loaded.role === 'node' ? emptyNodeRole(loaded.config.agent) : emptyRole(loaded.config);
  await using _lock = await lock(role.scope.owner.protocol);
  await using kernel = await (ofNode
    ? openNodeKernel(ofNode)
    : LinuxKernel.open(loaded.config.stateDirectory));
  const reconciler = new Reconciler(kernel, () => performance.now());
  const reasons = [{ kind: 'operator', text: 'purge' }] as const;
  // A former value is out of the ledger once it is restored: what is printed is told from before.
  const before = await kernel.list(role.scope, cli.signal);
  const report = await reconciler.round(role, reasons, 'dump', cli.signal);
  const files = ofNode ? await removeNames(ofNode.namesDirectory) : [];
  const removed = [
    ...report.done.map(({ change }) => commandOf(change, before)),
    ...files.map((file) => `rm ${file}`),
  ];
  const refused = report.failed.map(({ change, message }) => ({
    command: commandOf(change, before),
    error: message,
  }));
  if (optionsOf<{ readonly json?: boolean }>(command).json) printJson(cli, { removed, refused });
  else for (const line of removed) cli.stdout.write(`${line}\n`);
  for (const { command: line, error } of refused) cli.stderr.write(`eiproute: ${line}: ${error}\n`);
  return refused.length === 0 ? exit.ok : exit.failed;
}

function emptyRole({ gateway: { protocol, table } }: GatewayConfig): Role {
  return {
    scope: { owner: ownerOf(protocol), tables: [table], sysctls: [], nftTables: [], stations: [] },
    limits: { share: 1, always: Number.POSITIVE_INFINITY, hold: 0 },
    want: () => ({ objects: [], problems: [], complete: true }),
  };
}
