import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, InvalidArgumentError } from 'commander';
import type { Status } from '../daemon/status.ts';
import { type Cli, Failure } from './cli.ts';
import { type ExitCode, exit } from './exit.ts';
import { readConfig } from './gateway-config.ts';
import { optionsOf } from './options.ts';
import type { Program } from './program.ts';

interface Options {
  readonly json?: boolean;
  readonly waitSynced?: boolean;
  readonly timeout: number;
}

/** ms between two questions of --wait-synced */
const askEvery = 100;

export function addStatus({ root, run }: Program): void {
  root
    .command('status')
    .description('show what the running daemon does')
    .option('--json', 'print JSON')
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
  const loaded = await readConfig(cli, command);
  if (loaded === undefined) return exit.config;
  const { runtimeDirectory } = loaded.config;
  const status = options.waitSynced
    ? await whenSynced(runtimeDirectory, options.timeout, cli.signal)
    : await read(runtimeDirectory, cli.signal);
  if (options.json) cli.stdout.write(`${JSON.stringify(status, undefined, 2)}\n`);
  else cli.stdout.write(text(status));
  return options.waitSynced && !status.synced ? exit.failed : exit.ok;
}

async function read(runtimeDirectory: string, signal: AbortSignal): Promise<Status> {
  const { ask } = await import('../daemon/ask.ts');
  const answer: Status = JSON.parse(await ask(runtimeDirectory, 'GET', '/status', signal));
  if (answer.version !== 1)
    throw new Failure(
      `the daemon speaks version ${answer.version} of the status; this program only 1: use the eiproute that is running`,
    );
  return answer;
}

/** The first synced status, or the last one before the time was over. */
async function whenSynced(runtimeDirectory: string, timeout: number, signal: AbortSignal): Promise<Status> {
  const { Refused } = await import('../daemon/refused.ts');
  const end = performance.now() + timeout * 1000;
  while (true) {
    const last = performance.now() + askEvery >= end;
    try {
      const status = await read(runtimeDirectory, signal);
      if (status.synced || last) return status;
    } catch (error) {
      // It may just be starting.
      if (!(error instanceof Refused) || last) throw error;
    }
    await sleep(askEvery, undefined, { signal });
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
  const width = Math.max(0, ...status.eips.map(({ eip }) => eip.length));
  if (status.eips.length > 0) lines.push('', 'EIPs:');
  for (const { eip, services, nodes } of status.eips) {
    const to = nodes.length === 0 ? 'no node can serve it' : nodes.join(' ');
    lines.push(`  ${eip.padEnd(width)}  ${services.join(', ')} -> ${to}`);
  }
  section(
    lines,
    'Problems',
    status.problems.map(({ severity, message, advice }) => `${severity}: ${message}\n      ${advice}`),
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
  return `${lines.join('\n')}\n`;
}

/** In words, for a person: rounded down, in the largest unit that fits. */
function age(since: number): string {
  const seconds = Math.max(0, Math.floor((Date.now() - since) / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h`;
}

function section(lines: string[], title: string, entries: readonly string[]): void {
  if (entries.length > 0) lines.push('', `${title}:`, ...entries.map((entry) => `  ${entry}`));
}
