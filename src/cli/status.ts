import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, InvalidArgumentError } from 'commander';
import type { RoleName } from '../config/config.ts';
import { compareIp } from '../model/ip.ts';
import { printable, printableJson } from '../model/text.ts';
import type { EipStatus } from '../status/eips.ts';
import type { ObjectsStatus } from '../status/objects.ts';
import type { State, Summary } from '../status/state.ts';
import type { AnyStatus, GatewayStatus } from '../status/status.ts';
import { readAnyConfig } from './any-config.ts';
import { type Cli, Failure } from './cli.ts';
import { type ExitCode, exit } from './exit.ts';
import { optionsOf } from './options.ts';
import { painter, plain } from './paint.ts';
import type { Program } from './program.ts';
import { eipsListText, headline, lookupTexts, statusText } from './status-text.ts';

interface Options {
  readonly json?: boolean;
  readonly objects?: boolean;
  /** true: all of them */
  readonly eips?: string | true;
  readonly watch?: boolean;
  readonly waitSynced?: boolean;
  readonly timeout: number;
}

/** ms between two polls of --wait-synced */
const askEvery = 100;
/** ms that --wait-synced waits for an answer, however short its time is */
const leastPatience = 1000;
/** ms between two looks of --watch */
const watchEvery = 1000;

export function addStatus({ root, run }: Program): void {
  root
    .command('status')
    .description('show how the running daemon is, and what needs a person')
    .option('--eips [EIP|SERVICE|NODE]', 'list the EIPs with where they go instead: all, or those of one')
    .option('--objects', 'list every kernel object with its state instead')
    .option('--watch', 'show it again every second, until Ctrl-C')
    .option('--json', 'print JSON')
    .option('--wait-synced', 'wait until the state is OK')
    .option('--timeout <seconds>', 'how long --wait-synced waits', seconds, 60)
    .addHelpText('after', `\nExit codes: 0 OK, 3 DEGRADED, 4 FROZEN, 5 NOT SYNCED; 1 when no daemon answers.`)
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
  if (options.eips !== undefined && daemon.role === 'node')
    throw new Failure('a node agent has no EIPs of its own: ask the gateway');
  if (options.waitSynced) await synced(daemon, options.timeout, cli.signal);
  if (options.watch) return watch(cli, daemon, options);
  return print(cli, await view(daemon, options, cli));
}

/** One answer: what to print, and the state that the exit code says. */
interface View {
  readonly text: string;
  /** For stderr: the state, where the text does not begin with it. */
  readonly aside: string;
  readonly state: State;
}

async function view(daemon: Daemon, options: Options, cli: Cli): Promise<View> {
  const paint = painter(cli);
  if (options.objects) {
    const status = parse<ObjectsStatus>(await answer(daemon, '/objects', cli.signal));
    return viewOf(status, options, () => objectsText(status));
  }
  if (options.eips !== undefined) {
    const { eips: found, ...summary } = parse<EipsAnswer>(
      await answer(daemon, eipsPath(options.eips), cli.signal),
    );
    const eips = found.toSorted((a, b) => compareIp(a.eip, b.eip));
    if (eips.length === 0 && options.eips !== true)
      throw new Failure(
        `no EIP, Service or node of an EIP is called ${options.eips}; eiproute status --eips lists all`,
      );
    const shown = viewOf({ ...summary, eips }, options, () => eipsListText(eips, paint));
    const notes = options.json ? [] : lookupTexts(summary.lookup);
    return { ...shown, aside: shown.aside + notes.map((note) => `${printable(note)}\n`).join('') };
  }
  const status = parse<AnyStatus>(await answer(daemon, '/status', cli.signal));
  return { ...viewOf(status, options, () => statusText(status, paint)), aside: '' };
}

interface EipsAnswer extends Summary, Pick<GatewayStatus, 'lookup'> {
  readonly eips: readonly EipStatus[];
}

function eipsPath(filter: string | true): '/eips' | `/eips?of=${string}` {
  return filter === true ? '/eips' : `/eips?of=${encodeURIComponent(filter)}`;
}

function viewOf<T extends Summary>(status: T, { json }: Options, text: () => string): View {
  const aside = json || status.state === 'OK' ? '' : `${headline(status, plain)}\n`;
  return { text: json ? `${printableJson(status)}\n` : text(), aside, state: status.state };
}

function print(cli: Cli, { text, aside, state }: View): ExitCode {
  cli.stderr.write(aside);
  cli.stdout.write(text);
  return codeOf(state);
}

function codeOf(state: State): ExitCode {
  switch (state) {
    case 'OK':
      return exit.ok;
    case 'DEGRADED':
      return exit.degraded;
    case 'FROZEN':
      return exit.frozen;
    case 'NOT SYNCED':
      return exit.notSynced;
    default:
      return state satisfies never;
  }
}

/** Prints until the signal; a daemon that restarts meanwhile is waited for. */
async function watch(cli: Cli, daemon: Daemon, options: Options): Promise<never> {
  const { DaemonError } = await import('../daemon/daemon-error.ts');
  const clear = cli.stdout.isTTY && !options.json ? '\u001b[H\u001b[2J' : '';
  while (true) {
    try {
      const { text } = await view(daemon, options, cli);
      cli.stdout.write(`${clear}${text}${clear === '' && !options.json ? '\n' : ''}`);
    } catch (error) {
      if (!(error instanceof DaemonError)) throw error;
      cli.stdout.write(`${clear}${printable(error.message)}\n`);
    }
    await sleep(watchEvery, undefined, { signal: cli.signal });
  }
}

/** The address of a daemon. */
interface Daemon {
  readonly role: RoleName;
  readonly runtimeDirectory: string;
}

async function answer(
  { role, runtimeDirectory }: Daemon,
  path: '/status' | '/synced' | '/objects' | '/eips' | `/eips?of=${string}`,
  signal: AbortSignal,
  limit?: number,
): Promise<string> {
  const { ask } = await import('../daemon/ask.ts');
  return ask(runtimeDirectory, role, 'GET', path, signal, limit);
}

/** Parses an answer of the same version of the status. */
function parse<T extends Summary>(json: string): T {
  const answered: T = JSON.parse(json);
  if (answered.version === 2) return answered;
  throw new Failure(
    `the daemon speaks version ${answered.version} of the status, this program only 2: restart the daemon, or use the eiproute that is running`,
  );
}

/** Waits until the daemon is OK, or until the timeout. */
async function synced(daemon: Daemon, timeout: number, signal: AbortSignal): Promise<void> {
  const { DaemonError } = await import('../daemon/daemon-error.ts');
  const end = performance.now() + timeout * 1000;
  while (true) {
    const left = end - performance.now();
    const last = left <= askEvery;
    try {
      // The last answer may come a little late.
      const limit = Math.max(left, leastPatience);
      const { synced: done } = parse<Summary>(await answer(daemon, '/synced', signal, limit));
      if (done || last) return;
    } catch (error) {
      // The daemon may be starting.
      if (!(error instanceof DaemonError) || last) throw error;
    }
    await sleep(askEvery, undefined, { signal });
  }
}

/** One row each: rows of the same state and kind are easy to find with grep. */
function objectsText({ objects }: ObjectsStatus): string {
  return objects
    .map(({ state, kind, object, why, detail }) => {
      const end = detail === undefined ? '' : `: ${detail}`;
      return `${printable(`${state.padEnd(9)}  ${kind.padEnd(9)}  ${object} (${why})${end}`)}\n`;
    })
    .join('');
}
