import type { Command } from 'commander';
import { type Ip, parseIp } from '../model/ip.ts';
import { printable } from '../model/text.ts';
import type { GatewayStatus } from '../status/status.ts';
import { readGatewayOnly } from './any-config.ts';
import { type Cli, Failure, printJson } from './cli.ts';
import { type ExitCode, exit } from './exit.ts';
import { optionsOf } from './options.ts';
import type { Program } from './program.ts';
import { isAgreed } from './terminal.ts';

interface Options {
  readonly show?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
}

export function addRelease({ root, run }: Program): void {
  root
    .command('release [eip...]')
    .description(
      'release the deletes that the daemon holds because they are too many at once: all, or those of EIPs',
    )
    .option('--show', 'only show what is held')
    .option('--yes', 'do not ask')
    .option('--json', 'with --show: print JSON')
    .action(run(release));
}

async function release(cli: Cli, command: Command): Promise<ExitCode> {
  const { show, yes, json } = optionsOf<Options>(command);
  const config = await readGatewayOnly(cli, command, 'held deletes');
  if (config === undefined) return exit.config;
  const { ask } = await import('../daemon/ask.ts');
  const { heldText, releasable } = await import('./release-text.ts');
  const status: GatewayStatus = JSON.parse(
    await ask(config.runtimeDirectory, 'gateway', 'GET', '/status', cli.signal),
  );
  const eips = command.args.map(eipNamed);
  const held = releasable(status, eips);
  for (const eip of eips) {
    if (!held.some((one) => one.eip === eip))
      throw new Failure(`no delete of ${eip} is held; eiproute release --show lists those that are`);
  }
  if (show && json) {
    printJson(cli, { held });
    return exit.ok;
  }
  if (show || held.length === 0) {
    cli.stdout.write(heldText(status, eips));
    return exit.ok;
  }
  if (!yes) {
    cli.stderr.write(heldText(status, eips));
    const what = held.length === 1 ? 'release lets 1 delete go' : `release lets ${held.length} deletes go`;
    if (!(await isAgreed(cli, what, 'Let them go?'))) {
      cli.stdout.write('nothing was released\n');
      return exit.failed;
    }
  }
  const path = eips.length === 0 ? '/release' : (`/release?${asked(eips)}` as const);
  const answer = await ask(config.runtimeDirectory, 'gateway', 'POST', path, cli.signal);
  const { released }: { readonly released: number } = JSON.parse(answer);
  const done = released === 1 ? '1 held delete is' : `${released} held deletes are`;
  cli.stdout.write(released === 0 ? 'nothing is held\n' : `${done} released\n`);
  return exit.ok;
}

function eipNamed(text: string): Ip {
  try {
    return parseIp(text);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new Failure(
      `${printable(text)} is no address of an EIP; eiproute release --show lists those that are held`,
      {
        cause,
      },
    );
  }
}

function asked(eips: readonly Ip[]): string {
  return eips.map((eip) => `eip=${encodeURIComponent(eip)}`).join('&');
}
