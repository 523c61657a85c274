import type { Command } from 'commander';
import type { Cluster } from '../cluster/cluster.ts';
import type { GatewayConfig, NodeConfig, RoleName } from '../config/config.ts';
import type { Snapshot } from '../model/cluster.ts';
import type { LinkNames } from '../model/iproute.ts';
import { printable } from '../model/text.ts';
import type { DryRun } from '../reconcile/dry-run.ts';
import type { Need } from '../status/need.ts';
import type { Health, State } from '../status/state.ts';
import { readAnyConfig } from './any-config.ts';
import { type Cli, Failure, printJson } from './cli.ts';
import { type ExitCode, exit } from './exit.ts';
import { printWarnings } from './gateway-config.ts';
import { optionsOf } from './options.ts';
import { painter } from './paint.ts';
import type { Program } from './program.ts';

interface Options {
  readonly json?: boolean;
  readonly from?: string;
  readonly commands?: boolean;
}

/** ms until the first complete lists must arrive */
const patience = 15_000;

export function addPlan({ root, run }: Program): void {
  root
    .command('plan')
    .description('show what would change in the kernel')
    .option('--commands', 'as commands that can be pasted into a shell')
    .option(
      '--from <file>',
      'read the cluster from a file (kubectl get services,endpointslices,nodes -A -o json)',
    )
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Exit codes: 0 nothing would change, 2 something would, 3 something that should be there would still be missing
afterwards: a conflict, a missing interface, deletes that are held; or the kernel takes another route for an EIP.`,
    )
    .action(run(plan));
}

/** The pipeline without apply. */
async function plan(cli: Cli, command: Command): Promise<ExitCode> {
  const options = optionsOf<Options>(command);
  const { from } = options;
  const flags = from === undefined ? [] : [{ flag: '--from', key: 'source.file', value: from }];
  const loaded = await readAnyConfig(cli, command, flags);
  if (loaded === undefined) return exit.config;
  await printWarnings(cli, loaded);
  if (loaded.role === 'node') return planNode(cli, loaded.config, options);
  const { config } = loaded;
  await warnElsewhere(cli, config, 'gateway');
  const { gatewayRole } = await import('../daemon/gateway-role.ts');
  const { openSource } = await import('../daemon/source.ts');
  const { LinuxKernel } = await import('../kernel/linux.ts');
  const { dryRun } = await import('../reconcile/dry-run.ts');
  const { gatewayHealth } = await import('../status/health.ts');

  await using cluster = openSource(config.source);
  const snapshot = await complete(cluster, config, cli.signal);
  const { readerOf } = await import('../desire/cluster-reader.ts');
  await using kernel = await LinuxKernel.open(config.stateDirectory);
  const role = gatewayRole(config, readerOf(snapshot), () => kernel.problems);
  const planned = await dryRun(kernel, role, cli.signal);
  const { gateway } = config;
  const names = namesOf(planned);
  const { shadowedNow } = await import('./shadowed-now.ts');
  const taken = await shadowedNow(planned, { kernel, role, gateway, names }, cli.signal);
  const problems = [...planned.report.problems, ...taken.problems];
  const seen: DryRun = { ...planned, report: { ...planned.report, problems } };
  const health = gatewayHealth({
    now: Date.now(),
    lan: gateway.lan,
    report: seen.report,
    unreadable: undefined,
    counts: role.desire.paths.counts,
    cluster: snapshot,
    source: config.source.kind === 'file' ? 'file' : 'kubernetes',
    dark: [],
    shadowed: taken.count,
    unrouted: () => role.desire.unrouted(),
    names,
    announceStates: role.desire.announcing?.states,
  });
  return print(cli, seen, health, await defaultRouteTexts(seen, config, cli.signal), options);
}

/** A node's plan needs no cluster. */
async function planNode(cli: Cli, config: NodeConfig, options: Options): Promise<ExitCode> {
  const { openNodeKernel, prepare } = await import('../daemon/node.ts');
  const { nodeRole } = await import('../daemon/node-role.ts');
  const { dryRun } = await import('../reconcile/dry-run.ts');
  const { nodeHealth } = await import('../status/node.ts');
  await warnElsewhere(cli, config, 'node');
  await using kernel = await openNodeKernel(config);
  const { agent } = await prepare(kernel, config, cli.signal);
  const role = nodeRole(agent, new Map(), () => kernel.problems);
  const seen = await dryRun(kernel, role, cli.signal);
  const { neighbours } = seen.have;
  const facts = {
    agent,
    report: seen.report,
    unreadable: undefined,
    neighbours,
    names: namesOf(seen),
    followed: undefined,
  };
  return print(cli, seen, nodeHealth(facts), [], options);
}

/** Says that the plan is not about the kernel of the daemon. */
async function warnElsewhere(
  cli: Cli,
  { runtimeDirectory }: { readonly runtimeDirectory: string },
  role: RoleName,
): Promise<void> {
  const { elsewhere, elsewhereWords } = await import('../daemon/namespace.ts');
  const away = await elsewhere(runtimeDirectory, role, cli.signal);
  if (away === undefined) return;
  const { why, advice } = elsewhereWords(away);
  cli.stderr.write(`warning: ${why}; ${advice}\n`);
}

function namesOf({ have: { links } }: DryRun): LinkNames {
  return (index) => links.find((link) => link.index === index)?.name ?? `if${index}`;
}

/** What each new default route of ours does to those of other programs, in words. */
async function defaultRouteTexts(
  { due }: DryRun,
  { gateway }: GatewayConfig,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { defaultRouteText, listDefaultRoutes } = await import('../kernel/default-routes.ts');
  const { anyPrefix, family } = await import('../model/ip.ts');
  const found = due.map(async (change) => {
    if (change.verb === 'delete' || change.want.kind !== 'route') return [];
    const { dst, metric, hops } = change.want;
    const of = family(dst);
    if (dst !== anyPrefix(of)) return [];
    const ours = defaultRouteText({
      via: hops[0]?.via,
      dev: gateway.uplink,
      metric,
      protocol: gateway.protocol,
    });
    return (await listDefaultRoutes(of, signal))
      .filter(({ protocol }) => protocol !== gateway.protocol)
      .map((other) =>
        metric < other.metric
          ? `default ${ours} will win over the present one ${defaultRouteText(other)}`
          : `default ${ours} will not be used: the present one ${defaultRouteText(other)} wins`,
      );
  });
  return (await Promise.all(found)).flat();
}

async function print(
  cli: Cli,
  seen: DryRun,
  { state, summary, needs }: Health,
  shadows: readonly string[],
  options: Options,
): Promise<ExitCode> {
  const { due, have, report } = seen;
  const names = namesOf(seen);
  if (options.json) await printPlanJson(cli, seen, { state, summary, needs: needs(), shadows });
  else if (options.commands) await printCommands(cli, seen, shadows);
  else {
    const { planText } = await import('./plan-text.ts');
    const installed = Object.values(report.installed).reduce((sum, count) => sum + count, 0);
    const { formerSysctls } = have;
    const view = { due, formerSysctls, names, shadows, state, summary, needs: needs(), installed };
    cli.stdout.write(planText(view, Date.now(), painter(cli)));
  }
  if (state !== 'OK') return exit.degraded;
  return due.length === 0 ? exit.ok : exit.changes;
}

/** A conflict with what to do about it. */
async function conflictsOf(seen: DryRun) {
  const { commandOf } = await import('./changes.ts');
  const { describe } = await import('../model/iproute.ts');
  const names = namesOf(seen);
  return seen.report.conflicts.map(({ want, why, holder }) => ({
    object: describe(want, names),
    why: why.text,
    holder: holder && describe(holder, names),
    advice:
      holder === undefined
        ? 'nothing to do: it is tried again'
        : `delete it: ${commandOf({ verb: 'delete', have: holder }, seen.have)}`,
  }));
}

async function printPlanJson(
  cli: Cli,
  seen: DryRun,
  outlook: {
    readonly state: State;
    readonly summary: string;
    readonly needs: readonly Need[];
    readonly shadows: readonly string[];
  },
): Promise<void> {
  const { commandOf } = await import('./changes.ts');
  const { planCounts, planRow } = await import('./plan-text.ts');
  const { due, have, report } = seen;
  const view = { formerSysctls: have.formerSysctls, names: namesOf(seen) };
  const rows = due.map((one) => planRow(one, view));
  printJson(cli, {
    changes: due.map((change, i) => ({
      command: commandOf(change, have),
      verb: change.verb,
      sign: rows[i]?.sign,
      object: rows[i]?.text,
      why: change.why.text,
    })),
    counts: planCounts(rows),
    held: report.held.map((one) => ({ command: commandOf(one, have), reason: one.reason })),
    conflicts: await conflictsOf(seen),
    problems: report.problems,
    ...outlook,
  });
}

/** Commands on stdout; what no command can do on stderr. */
async function printCommands(cli: Cli, seen: DryRun, shadows: readonly string[]): Promise<void> {
  const { annotated, commandOf, withheld } = await import('./changes.ts');
  const { due, have, report } = seen;
  for (const one of due) cli.stdout.write(`${annotated(commandOf(one, have), one.why.text)}\n`);
  for (const one of report.held) cli.stdout.write(`${withheld(commandOf(one, have), one.reason)}\n`);
  for (const { object, why, holder, advice } of await conflictsOf(seen)) {
    const held = `is held by another program: ${holder}`;
    cli.stderr.write(`${printable(`conflict: ${object} (${why}) ${held}; ${advice}`)}\n`);
  }
  for (const { severity, message, advice } of report.problems)
    cli.stderr.write(`${severity}: ${printable(message)}; ${printable(advice)}\n`);
  for (const text of shadows) cli.stderr.write(`warn: ${printable(text)}\n`);
}

/** The first complete snapshot. Fails when every missing list has failed. */
async function complete(cluster: Cluster, { source }: GatewayConfig, signal: AbortSignal): Promise<Snapshot> {
  const { completeSnapshot, unsynced } = await import('../cluster/complete-snapshot.ts');
  const snapshot = await completeSnapshot(cluster, patience, signal);
  if (snapshot !== undefined) return snapshot;
  const reasons = Map.groupBy(
    unsynced(cluster),
    ({ cluster: of, trouble = 'no list yet' }) => `${of === undefined ? '' : `cluster ${of}, `}${trouble}`,
  );
  const words = [...reasons].map(
    ([why, feeds]) => `${feeds.map(({ resource }) => resource).join(', ')}: ${why}`,
  );
  throw new Failure(`the cluster could not be read from ${placeOf(source)}: ${words.join('; ')}`);
}

function placeOf(source: GatewayConfig['source']): string {
  switch (source.kind) {
    case 'file':
      return source.path;
    case 'kubernetes':
      return source.kubeconfig ?? 'the default kubeconfig';
    case 'clusters':
      return source.clusters.map(({ name }) => name).join(' and ');
    default:
      return source satisfies never;
  }
}
