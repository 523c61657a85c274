import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, InvalidArgumentError } from 'commander';
import type { RoleName } from '../config/config.ts';
import type { ObjectsStatus } from '../daemon/objects.ts';
import type { Status, Summary } from '../daemon/status.ts';
import { printable, printableJson } from '../model/text.ts';
import { readAnyConfig } from './any-config.ts';
import { type Cli, Failure } from './cli.ts';
import { type ExitCode, exit } from './exit.ts';
import { optionsOf } from './options.ts';
import type { Program } from './program.ts';

interface Options {
  readonly json?: boolean;
  readonly objects?: boolean;
  readonly waitSynced?: boolean;
  readonly timeout: number;
}

/** ms between two polls of --wait-synced */
const askEvery = 100;

export function addStatus({ root, run }: Program): void {
  root
    .command('status')
    .description('show what the running daemon does')
    .option('--json', 'print JSON')
    .option('--objects', 'list every kernel object with its state instead')
    .option('--wait-synced', 'wait until everything wanted is in the kernel; exit 1 when it is not in time')
    .option('--timeout <seconds>', 'how long --wait-synced waits', seconds, 60)
    .action(run(show));
}

function seconds(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('it must be a number of seconds above 0.');
  return value;
}

async function show(cli: Cli, command: Command): Promise<ExitCode> {
  const options = optionsOf<Options>(command);
  const loaded = await readAnyConfig(cli, command);
  if (loaded === undefined) return exit.config;
  const daemon = { role: loaded.role, runtimeDirectory: loaded.config.runtimeDirectory };
  if (options.waitSynced) await synced(daemon, options.timeout, cli.signal);
  const status = options.objects
    ? parse<ObjectsStatus>(await answer(daemon, '/objects', cli.signal))
    : parse<Status>(await answer(daemon, '/status', cli.signal));
  if (options.json) cli.stdout.write(`${printableJson(status)}\n`);
  else if ('objects' in status) showObjects(cli, status);
  else cli.stdout.write(text(status));
  return options.waitSynced && !status.synced ? exit.failed : exit.ok;
}

/** The address of a daemon. */
interface Daemon {
  readonly role: RoleName;
  readonly runtimeDirectory: string;
}

async function answer(
  { role, runtimeDirectory }: Daemon,
  path: '/status' | '/synced' | '/objects',
  signal: AbortSignal,
): Promise<string> {
  const { ask } = await import('../daemon/ask.ts');
  return ask(runtimeDirectory, role, 'GET', path, signal);
}

/** Parses an answer of the same version of the status. */
function parse<T extends Summary>(json: string): T {
  const answered: T = JSON.parse(json);
  if (answered.version === 1) return answered;
  throw new Failure(
    `the daemon speaks version ${answered.version} of the status, this program only 1: use the eiproute that is running`,
  );
}

/** Waits until the daemon is synced, or until the timeout. */
async function synced(daemon: Daemon, timeout: number, signal: AbortSignal): Promise<void> {
  const { DaemonError } = await import('../daemon/daemon-error.ts');
  const end = performance.now() + timeout * 1000;
  while (true) {
    const last = performance.now() + askEvery >= end;
    try {
      const { synced: done } = parse<Summary>(await answer(daemon, '/synced', signal));
      if (done || last) return;
    } catch (error) {
      // The daemon may be starting.
      if (!(error instanceof DaemonError) || last) throw error;
    }
    await sleep(askEvery, undefined, { signal });
  }
}

/** One row each: rows of the same state and kind are easy to find with grep. */
function showObjects(cli: Cli, { synced: done, summary, objects }: ObjectsStatus): void {
  if (!done) cli.stderr.write(`${printable(`not synced: ${summary}`)}\n`);
  for (const { state, kind, object, why, detail } of objects) {
    const end = detail === undefined ? '' : `: ${detail}`;
    cli.stdout.write(`${printable(`${state.padEnd(9)}  ${kind.padEnd(9)}  ${object} (${why})${end}`)}\n`);
  }
}

function text(status: Status): string {
  const lines = [`${status.synced ? 'synced' : 'not synced'}: ${status.summary}`];
  if (status.round) {
    lines.push(
      `last round: number ${status.round.number} at ${status.round.at}, ${status.round.ms} ms (${status.round.reasons.join(', ')})`,
    );
  }
  for (const { resource, synced, heard, trouble } of status.feeds) {
    const when =
      heard === undefined ? 'never heard' : `heard ${age(heard)} ago (${new Date(heard).toISOString()})`;
    lines.push(
      `${resource}: ${synced ? 'listed' : 'not listed yet'}, ${when}${trouble ? `; ${trouble}` : ''}`,
    );
  }
  for (const { address, mac, table, mark } of status.gateways ?? []) {
    lines.push(`gateway ${address}: ${mac ?? 'does not answer'}, table ${table}, mark ${mark}`);
  }
  const width = Math.max(0, ...status.eips.map(({ eip }) => eip.length));
  if (status.eips.length > 0) lines.push('', 'EIPs:');
  for (const { eip, services, nodes } of status.eips) {
    const to = nodes.length === 0 ? 'no node can serve it' : some(nodes);
    lines.push(`  ${eip.padEnd(width)}  ${services.join(', ')} -> ${to}`);
  }
  section(
    lines,
    'Problems',
    status.problems.flatMap(({ severity, message, advice }) => [`${severity}: ${message}`, `    ${advice}`]),
  );
  section(
    lines,
    'In conflict',
    status.conflicts.map(
      ({ object, holder, why }) => `${object} (${why}), held by: ${holder ?? 'gone again'}`,
    ),
  );
  section(
    lines,
    'Refused by the kernel',
    status.failed.map(({ object, why, error }) => `${object} (${why}): ${error}`),
  );
  section(
    lines,
    'Held',
    status.held.map(({ object, reason, until }) => `${object}: ${reason}${until ? `, until ${until}` : ''}`),
  );
  return lines.map((line) => `${printable(line)}\n`).join('');
}

/** The first names of a list, for one line; JSON has all of them. */
function some(names: readonly string[]): string {
  const most = 6;
  const shown = names.slice(0, most).join(' ');
  return names.length > most ? `${shown} and ${names.length - most} more` : shown;
}

/** For a person: rounded down, in the largest unit that fits. */
function age(since: number): string {
  const seconds = Math.max(0, Math.floor((Date.now() - since) / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h`;
}

function section(lines: string[], title: string, entries: readonly string[]): void {
  if (entries.length > 0) lines.push('', `${title}:`, ...entries.map((entry) => `  ${entry}`));
}
