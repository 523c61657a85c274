import type { Command } from 'commander';
import type { GatewayConfig } from '../config/config.ts';
import type { LinuxKernel } from '../kernel/linux.ts';
import type { Desire } from '../model/desired.ts';
import { changeObject, keyOf } from '../model/object.ts';
import { ownerOf } from '../model/owner.ts';
import { printable, shellWord } from '../model/text.ts';
import type { Want } from '../model/want.ts';
import type { Role } from '../reconcile/reconciler.ts';
import { type AnyLoaded, readAnyConfig } from './any-config.ts';
import { type Cli, printJson } from './cli.ts';
import { type ExitCode, exit } from './exit.ts';
import { optionsOf } from './options.ts';
import type { Program } from './program.ts';

interface Options {
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

export function addPurge({ root, run }: Program): void {
  root
    .command('purge')
    .description(
      'remove everything that is ours from the kernel, and put settings back; the daemon must be stopped',
    )
    .option('--dry-run', 'only print the commands that would do it')
    .option('--json', 'print JSON')
    .action(run(purge));
}

/** The line with an empty desire. */
async function purge(cli: Cli, command: Command): Promise<ExitCode> {
  const loaded = await readAnyConfig(cli, command);
  if (loaded === undefined) return exit.config;
  const options = optionsOf<Options>(command);
  if (options.dryRun) return await preview(cli, loaded, options);
  const { lock } = await import('../daemon/lock.ts');
  const { Reconciler } = await import('../reconcile/reconciler.ts');
  const { commandOf } = await import('./changes.ts');
  const { removeFiles } = await import('../daemon/names.ts');
  const { role, open, files } = await emptied(loaded);
  await using _lock = await lock(role.scope.owner.protocol, loaded.config.runtimeDirectory);
  await using kernel = await open();
  const reconciler = new Reconciler(kernel, Date.now);
  const reasons = [{ kind: 'operator', text: 'purge' }] as const;
  // A former value is out of the ledger once it is restored: what is printed is told from before.
  const before = await kernel.list(role.scope, cli.signal);
  const report = await reconciler.round(role, reasons, 'dump', cli.signal);
  await removeFiles(files);
  const removed = [
    ...report.done.map(({ change }) => commandOf(change, before)),
    ...files.map((file) => `rm ${shellWord(file)}`),
  ];
  const refused = report.failed.map(({ change, message }) => ({
    command: commandOf(change, before),
    error: message,
  }));
  if (options.json) printJson(cli, { removed, refused });
  else for (const line of removed) cli.stdout.write(`${line}\n`);
  for (const { message, advice } of kernel.problems)
    cli.stderr.write(`eiproute: ${printable(message)}; ${advice}\n`);
  for (const { command: line, error } of refused)
    cli.stderr.write(`eiproute: ${printable(line)}: ${printable(error)}\n`);
  return refused.length === 0 ? exit.ok : exit.failed;
}

async function preview(cli: Cli, loaded: AnyLoaded, { json }: Options): Promise<ExitCode> {
  const { dryRun } = await import('../reconcile/dry-run.ts');
  const { commandOf } = await import('./changes.ts');
  const { role, open, files } = await emptied(loaded);
  await using kernel = await open();
  const { due, have } = await dryRun(kernel, role, cli.signal);
  const removed = due.map(({ change }) => commandOf(change, have));
  // What Linux changes along with a setting of ours has to be put back after it.
  const ours = new Set(due.map(({ change }) => keyOf(changeObject(change))));
  for (const [name, value] of have.formerSysctls) {
    const sysctl = { kind: 'sysctl', name, value } as const;
    if (!ours.has(keyOf(sysctl))) removed.push(commandOf({ verb: 'delete', have: sysctl }, have));
  }
  removed.push(...files.map((file) => `rm ${shellWord(file)}`));
  if (json) printJson(cli, { removed, refused: [] });
  else for (const line of removed) cli.stdout.write(`${line}\n`);
  return exit.ok;
}

/** What is to be emptied. */
interface Emptied {
  readonly role: Role;
  readonly open: () => Promise<LinuxKernel>;
  /** Files that we wrote outside of our own folders. */
  readonly files: readonly string[];
}

async function emptied(loaded: AnyLoaded): Promise<Emptied> {
  if (loaded.role === 'gateway') {
    const { LinuxKernel } = await import('../kernel/linux.ts');
    const { flowLabelTableName } = await import('../desire/flow-label.ts');
    const { config } = loaded;
    const { RecomputedDesire } = await import('../reconcile/recomputed.ts');
    const nftTables = [flowLabelTableName(config.gateway.protocol)];
    return {
      role: emptyRole(config, nftTables, new RecomputedDesire(wantNothing)),
      open: () => LinuxKernel.open(config.stateDirectory),
      files: [],
    };
  }
  const { emptyNodeRole } = await import('../daemon/node-role.ts');
  const { openNodeKernel } = await import('../daemon/node.ts');
  const { ownFiles } = await import('../daemon/names.ts');
  const { config } = loaded;
  return {
    role: emptyNodeRole(config.agent),
    open: () => openNodeKernel(config),
    files: await ownFiles(config.namesDirectory),
  };
}

function wantNothing(): Want {
  return { objects: [], problems: [], complete: true };
}

function emptyRole(
  { gateway: { protocol, table } }: GatewayConfig,
  nftTables: readonly string[],
  desire: Desire,
): Role {
  return {
    scope: { owner: ownerOf(protocol), tables: [table], sysctls: [], nftTables, neighbours: [] },
    limits: { share: 1, window: 0, always: Number.POSITIVE_INFINITY, hold: 0 },
    desire,
  };
}
