import type { Command } from 'commander';
import type { Cluster } from '../cluster/cluster.ts';
import type { GatewayConfig, NodeConfig } from '../config/config.ts';
import type { Snapshot } from '../model/cluster.ts';
import { printable } from '../model/text.ts';
import type { DryRun } from '../reconcile/dry-run.ts';
import { readAnyConfig } from './any-config.ts';
import { type Cli, Failure, printJson } from './cli.ts';
import { type ExitCode, exit } from './exit.ts';
import { optionsOf } from './options.ts';
import type { Program } from './program.ts';

interface Options {
  readonly json?: boolean;
  readonly from?: string;
}

/** ms until the first complete lists must arrive */
const patience = 15_000;

export function addPlan({ root, run }: Program): void {
  root
    .command('plan')
    .description('show what would change in the kernel: exit 0 when nothing, 2 when something would')
    .option(
      '--from <file>',
      'read the cluster from a file (kubectl get services,endpointslices,nodes -A -o json)',
    )
    .option('--json', 'print JSON')
    .action(run(plan));
}

/** The pipeline without apply. */
async function plan(cli: Cli, command: Command): Promise<ExitCode> {
  const { json, from } = optionsOf<Options>(command);
  const flags = from === undefined ? [] : [{ flag: '--from', key: 'source.file', value: from }];
  const loaded = await readAnyConfig(cli, command, flags);
  if (loaded === undefined) return exit.config;
  if (loaded.role === 'node') return planNode(cli, loaded.config, json ?? false);
  const { config } = loaded;
  const { gatewayRole, openSource } = await import('../daemon/gateway.ts');
  const { LinuxKernel } = await import('../kernel/linux.ts');
  const { dryRun } = await import('../reconcile/dry-run.ts');

  await using cluster = openSource(config.source);
  const snapshot = await complete(cluster, config, cli.signal);
  const { readerOf } = await import('../desire/cluster-reader.ts');
  await using kernel = await LinuxKernel.open(config.stateDirectory);
  const role = gatewayRole(config, readerOf(snapshot), () => kernel.problems);
  return printDryRun(cli, await dryRun(kernel, role, cli.signal), json ?? false);
}

/** A node's plan needs no cluster. */
async function planNode(cli: Cli, config: NodeConfig, json: boolean): Promise<ExitCode> {
  const { openNodeKernel, prepare } = await import('../daemon/node.ts');
  const { nodeRole } = await import('../daemon/node-role.ts');
  const { dryRun } = await import('../reconcile/dry-run.ts');
  await using kernel = await openNodeKernel(config);
  const { agent } = await prepare(kernel, config, cli.signal);
  const role = nodeRole(agent, new Map(), () => kernel.problems);
  return printDryRun(cli, await dryRun(kernel, role, cli.signal), json);
}

async function printDryRun(cli: Cli, seen: DryRun, json: boolean): Promise<ExitCode> {
  const { annotated, commandOf, withheld } = await import('./changes.ts');
  const { describe } = await import('../model/iproute.ts');
  const names = (index: number): string =>
    seen.have.links.find((link) => link.index === index)?.name ?? `if${index}`;
  const changes = seen.due.map(({ change, why }) => ({
    command: commandOf(change, seen.have),
    verb: change.verb,
    why: why.text,
  }));
  const held = seen.held.map(({ change, reason }) => ({ command: commandOf(change, seen.have), reason }));
  const conflicts = seen.conflicts.map(({ want, why, holder }) => ({
    object: describe(want, names),
    why: why.text,
    holder: holder && describe(holder, names),
    advice:
      holder === undefined
        ? 'nothing to do: it is tried again'
        : `delete it: ${commandOf({ verb: 'delete', have: holder }, seen.have)}`,
  }));
  if (json) {
    printJson(cli, { changes, held, conflicts, problems: seen.problems });
  } else {
    for (const { command: line, why } of changes) cli.stdout.write(`${annotated(line, why)}\n`);
    for (const { command: line, reason } of held) cli.stdout.write(`${withheld(line, reason)}\n`);
    for (const { object, why, holder, advice } of conflicts) {
      const held = `is held by another program: ${holder}`;
      cli.stderr.write(`${printable(`conflict: ${object} (${why}) ${held}; ${advice}`)}\n`);
    }
    for (const { severity, message, advice } of seen.problems)
      cli.stderr.write(`${severity}: ${printable(message)}; ${printable(advice)}\n`);
  }
  return changes.length + held.length === 0 ? exit.ok : exit.changes;
}

/** The first complete snapshot. Fails when every missing list has failed. */
async function complete(cluster: Cluster, { source }: GatewayConfig, signal: AbortSignal): Promise<Snapshot> {
  const { completeSnapshot, unsynced } = await import('../cluster/complete-snapshot.ts');
  const snapshot = await completeSnapshot(cluster, patience, signal);
  if (snapshot !== undefined) return snapshot;
  const where = source.kind === 'file' ? source.path : (source.kubeconfig ?? 'the default kubeconfig');
  const reasons = Map.groupBy(unsynced(cluster), ({ trouble }) => trouble ?? 'no list yet');
  const words = [...reasons].map(
    ([why, feeds]) => `${feeds.map(({ resource }) => resource).join(', ')}: ${why}`,
  );
  throw new Failure(`the cluster could not be read from ${where}: ${words.join('; ')}`);
}
