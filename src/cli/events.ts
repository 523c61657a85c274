import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import type { RoleName } from '../config/config.ts';
import type { RecentEvent } from '../journal/recent-events.ts';
import { printable } from '../model/text.ts';
import { readAnyConfig } from './any-config.ts';
import { type Cli, Failure, printJson } from './cli.ts';
import { type EventFilter, eventLine, isWanted } from './events-text.ts';
import { type ExitCode, exit } from './exit.ts';
import { optionsOf } from './options.ts';
import { painter } from './paint.ts';
import type { Program } from './program.ts';

interface Options extends EventFilter {
  readonly follow?: boolean;
  readonly json?: boolean;
}

/** ms between two questions of --follow */
const askEvery = 300;

export function addEvents({ root, run }: Program): void {
  root
    .command('events')
    .description('show what the running daemon did and found lately')
    .option('-f, --follow', 'go on with those that come, until Ctrl-C')
    .option('--eip <address>', 'only those about this EIP')
    .option('--service <name>', 'only those about this Service')
    .option('--node <name>', 'only those about this node')
    .option('--all', 'the rounds as well')
    .option('--json', 'print JSON; with --follow one object per line')
    .action(run(events));
}

/** The address of a daemon. */
interface Daemon {
  readonly role: RoleName;
  readonly runtimeDirectory: string;
}

/** What the socket answers. */
interface EventsAnswer {
  readonly version: number;
  /** The number of the newest event. */
  readonly last: number;
  readonly events: readonly RecentEvent[];
}

async function events(cli: Cli, command: Command): Promise<ExitCode> {
  const loaded = await readAnyConfig(cli, command);
  if (loaded === undefined) return exit.config;
  const options = optionsOf<Options>(command);
  const daemon = { role: loaded.role, runtimeDirectory: loaded.config.runtimeDirectory };
  const print = printer(cli, options);
  const { last, events: found } = await answer(daemon, 0, cli.signal);
  const wanted = found.filter((event) => isWanted(event, options));
  if (options.follow) {
    print(wanted);
    return follow(cli, daemon, last, (more) => print(more.filter((event) => isWanted(event, options))));
  }
  if (options.json) printJson(cli, { events: wanted });
  else print(wanted);
  return exit.ok;
}

function printer(cli: Cli, { json }: Options): (events: readonly RecentEvent[]) => void {
  const paint = painter(cli);
  return (found) => {
    for (const event of found) {
      const line = json
        ? `${printable(JSON.stringify({ version: 1, ...event }), Number.POSITIVE_INFINITY)}\n`
        : eventLine(event, Date.now(), paint);
      cli.stdout.write(line);
    }
  };
}

/** Prints until the signal; a daemon that restarts meanwhile is waited for, and begins to count anew. */
async function follow(
  cli: Cli,
  daemon: Daemon,
  from: number,
  print: (events: readonly RecentEvent[]) => void,
): Promise<never> {
  const { DaemonError } = await import('../daemon/daemon-error.ts');
  let after = from;
  let isSilent = false;
  while (true) {
    await sleep(askEvery, undefined, { signal: cli.signal });
    try {
      let found = await answer(daemon, after, cli.signal);
      if (found.last < after) found = await answer(daemon, 0, cli.signal);
      after = found.last;
      isSilent = false;
      print(found.events);
    } catch (error) {
      if (!(error instanceof DaemonError)) throw error;
      if (!isSilent) cli.stderr.write(`eiproute: ${printable(error.message)}\n`);
      isSilent = true;
      after = 0;
    }
  }
}

async function answer(
  { role, runtimeDirectory }: Daemon,
  after: number,
  signal: AbortSignal,
): Promise<EventsAnswer> {
  const { ask } = await import('../daemon/ask.ts');
  const found: EventsAnswer = JSON.parse(
    await ask(runtimeDirectory, role, 'GET', `/events?after=${after}`, signal),
  );
  if (found.version === 1) return found;
  throw new Failure(
    `the daemon speaks version ${found.version} of the events, this program only 1: restart the daemon, or use the eiproute that is running`,
  );
}
