import type { Command } from 'commander';
import type { GatewayConfig } from '../config/config.ts';
import type { LinuxKernel } from '../kernel/linux.ts';
import { sysctlName } from '../model/iproute.ts';
import type { Listing } from '../model/listing.ts';
import { type Change, changeObject, keyOf, type NftName } from '../model/object.ts';
import { ownerOf } from '../model/owner.ts';
import { printable, shellWord } from '../model/text.ts';
import type { Role } from '../reconcile/reconciler.ts';
import { counted } from '../status/state.ts';
import { type AnyLoaded, readAnyConfig } from './any-config.ts';
import { type Cli, printJson } from './cli.ts';
import { type ExitCode, exit } from './exit.ts';
import { optionsOf } from './options.ts';
import type { Program } from './program.ts';

interface Options {
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
}

export function addPurge({ root, run }: Program): void {
  root
    .command('purge')
    .description(
      'remove everything that is ours from the kernel, and put settings back; the daemon must be stopped',
    )
    .option('--dry-run', 'only print the commands that would do it')
    .option('--yes', 'do not ask')
    .option('--json', 'print JSON')
    .action(run(purge));
}

/** A round whose desire is empty, but for the settings that others have changed since. */
async function purge(cli: Cli, command: Command): Promise<ExitCode> {
  const loaded = await readAnyConfig(cli, command);
  if (loaded === undefined) return exit.config;
  const options = optionsOf<Options>(command);
  const emptying = await emptied(loaded);
  if (options.dryRun) {
    const found = await wouldRemove(emptying, cli.signal);
    if (options.json) printJson(cli, { removed: found.removed, refused: [], leftAlone: found.leftAlone });
    else for (const line of found.removed) cli.stdout.write(`${line}\n`);
    for (const line of found.leftAlone) cli.stderr.write(`eiproute: ${printable(line)}\n`);
    return exit.ok;
  }
  const { lock } = await import('../daemon/lock.ts');
  const { Reconciler } = await import('../reconcile/reconciler.ts');
  const { commandOf } = await import('./changes.ts');
  const { removeFiles } = await import('../daemon/names.ts');
  const { empty, open, files } = emptying;
  await using _lock = await lock(empty.scope.owner.protocol, loaded.config.runtimeDirectory);
  if (!(options.yes || (await mayRemove(cli, emptying)))) {
    cli.stdout.write('nothing was removed\n');
    return exit.failed;
  }
  await using kernel = await open();
  const role = await withoutForeign(empty, kernel);
  const reconciler = new Reconciler(kernel, Date.now);
  const reasons = [{ kind: 'operator', text: 'purge' }] as const;
  // The ledger forgets a former value once it is restored, so the commands are printed from the dump before.
  const before = await kernel.list(role.scope, cli.signal);
  const report = await reconciler.round(role, reasons, 'dump', cli.signal);
  // What could not be put back is tried again by the next purge, which needs all that we remember.
  const isSaved = !kernel.problems.some(({ code }) => code === 'sysctl-ledger-not-saved');
  const obsolete =
    report.failed.length === 0 && isSaved ? files : files.filter((file) => !isState(loaded, file));
  await removeFiles(obsolete);
  const removed = [
    ...report.done.map((change) => commandOf(change, before)),
    ...obsolete.map((file) => `rm ${shellWord(file)}`),
  ];
  const left = foreignSysctls(before, kernel);
  const refused = report.failed.map(({ change, message }) => ({
    command: commandOf(change, before),
    error: message,
  }));
  if (options.json) printJson(cli, { removed, refused, leftAlone: left.map(leftAlone) });
  else for (const line of removed) cli.stdout.write(`${line}\n`);
  for (const one of left) cli.stderr.write(`eiproute: ${printable(leftAlone(one))}\n`);
  for (const { message, advice } of kernel.problems)
    cli.stderr.write(`eiproute: ${printable(message)}; ${advice}\n`);
  for (const { command: line, error } of refused)
    cli.stderr.write(`eiproute: ${printable(line)}: ${printable(error)}\n`);
  if (!isSaved)
    cli.stderr.write('eiproute: the files of the state directory stay: purge again once it can be written\n');
  return refused.length === 0 && isSaved ? exit.ok : exit.failed;
}

/** Asks, unless there is nothing to remove. */
async function mayRemove(cli: Cli, emptying: Emptied): Promise<boolean> {
  const { removed, counts } = await wouldRemove(emptying, cli.signal);
  if (removed.length === 0) return true;
  const { isAgreed } = await import('./terminal.ts');
  const parts = [
    `deletes ${counted(counts.objects, 'object')} from the kernel`,
    `puts ${counted(counts.settings, 'setting')} back`,
    `removes ${counted(counts.files, 'file')}`,
  ];
  const what = `purge ${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`;
  if (cli.terminal !== undefined)
    cli.stderr.write(`${what}; as commands: eiproute purge --dry-run\nNo EIP is routed then.\n`);
  return isAgreed(cli, what, 'Go on?');
}

/** What a purge would do. */
interface Removal {
  /** As commands. */
  readonly removed: readonly string[];
  /** Settings of others, in words. */
  readonly leftAlone: readonly string[];
  readonly counts: { readonly objects: number; readonly settings: number; readonly files: number };
}

async function wouldRemove({ empty, open, files }: Emptied, signal: AbortSignal): Promise<Removal> {
  const { dryRun } = await import('../reconcile/dry-run.ts');
  const { commandOf } = await import('./changes.ts');
  const { companions } = await import('../kernel/sysctl.ts');
  await using kernel = await open();
  const { due, have } = await dryRun(kernel, await withoutForeign(empty, kernel), signal);
  const left = foreignSysctls(have, kernel);
  const untouched = new Set(left.flatMap(({ name }) => [name, companions.get(name)]));
  const changes: Change[] = [...due];
  // Linux changes some settings along with ours; they are restored afterwards.
  const ours = new Set(changes.map((change) => keyOf(changeObject(change))));
  for (const [name, value] of have.formerSysctls) {
    const sysctl = { kind: 'sysctl', name, value } as const;
    if (!ours.has(keyOf(sysctl)) && !untouched.has(name)) changes.push({ verb: 'delete', have: sysctl });
  }
  const settings = changes.filter((change) => changeObject(change).kind === 'sysctl').length;
  return {
    removed: [
      ...changes.map((change) => commandOf(change, have)),
      ...files.map((file) => `rm ${shellWord(file)}`),
    ],
    leftAlone: left.map(leftAlone),
    counts: { objects: changes.length - settings, settings, files: files.length },
  };
}

/** A setting that somebody else has changed since we wrote it. */
interface ForeignSysctl {
  /** The path below /proc/sys. */
  readonly name: string;
  readonly value: string;
  readonly written: string;
  readonly former: string;
}

function foreignSysctls(
  { objects, formerSysctls }: Pick<Listing, 'objects' | 'formerSysctls'>,
  { writtenSysctls }: LinuxKernel,
): readonly ForeignSysctl[] {
  return [...formerSysctls].flatMap(([name, former]) => {
    const present = objects.get(`sysctl ${name}`);
    const written = writtenSysctls.get(name);
    if (present?.kind !== 'sysctl' || written === undefined) return [];
    const { value } = present;
    return value === written || value === former ? [] : [{ name, value, written, former }];
  });
}

function leftAlone({ name, value, written, former }: ForeignSysctl): string {
  return `${sysctlName(name)} is "${value}", where eiproute had written "${written}": somebody else has set it since, so it is left alone, and not put back to "${former}"`;
}

/** The role with the settings of others as they are: nothing is done about them. */
async function withoutForeign(empty: Omit<Role, 'desire'>, kernel: LinuxKernel): Promise<Role> {
  const { RecomputedDesire } = await import('../reconcile/recomputed.ts');
  const why = { text: 'set by somebody else' };
  const desire = new RecomputedDesire((have) => ({
    objects: foreignSysctls(have, kernel).map(({ name, value }) => ({
      key: `sysctl ${name}`,
      object: { kind: 'sysctl', name, value },
      why,
    })),
    problems: [],
    complete: true,
  }));
  return { ...empty, desire };
}

/** The file is one of the state directory. */
function isState({ config }: AnyLoaded, file: string): boolean {
  return file.startsWith(config.stateDirectory);
}

/** What is to be emptied. */
interface Emptied {
  readonly empty: Omit<Role, 'desire'>;
  readonly open: () => Promise<LinuxKernel>;
  /** Files that we wrote. */
  readonly files: readonly string[];
}

async function emptied(loaded: AnyLoaded): Promise<Emptied> {
  const { stateFiles } = await import('../daemon/state-files.ts');
  if (loaded.role === 'gateway') {
    const { LinuxKernel } = await import('../kernel/linux.ts');
    const { nftTableNames } = await import('../desire/gateway.ts');
    const { config } = loaded;
    const nftTables = nftTableNames(config.gateway.protocol);
    return {
      empty: emptyRole(config, nftTables),
      open: () => LinuxKernel.open(config.stateDirectory),
      files: await stateFiles(config.stateDirectory, 'gateway'),
    };
  }
  const { emptyNodeRole } = await import('../daemon/node-role.ts');
  const { openNodeKernel } = await import('../daemon/node.ts');
  const { ownFiles } = await import('../daemon/names.ts');
  const { config } = loaded;
  return {
    empty: emptyNodeRole(config.agent),
    open: () => openNodeKernel(config),
    files: [...(await ownFiles(config.namesDirectory)), ...(await stateFiles(config.stateDirectory, 'node'))],
  };
}

function emptyRole(
  { gateway: { protocol } }: GatewayConfig,
  nftTables: readonly NftName[],
): Omit<Role, 'desire'> {
  return {
    scope: { owner: ownerOf(protocol), tables: 'all', sysctls: [], nftTables, neighbours: [] },
    limits: { share: 1, window: 0, always: Number.POSITIVE_INFINITY, hold: 0 },
  };
}
