import type { Command } from 'commander';
import type { GatewayStatus } from '../status/status.ts';
import { readGatewayOnly } from './any-config.ts';
import { type Cli, printJson } from './cli.ts';
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
    .command('release')
    .description('release the deletes that the running daemon holds because they are too many at once')
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
  const held = releasable(status);
  if (show && json) {
    printJson(cli, { held });
    return exit.ok;
  }
  if (show || held.length === 0) {
    cli.stdout.write(heldText(status));
    return exit.ok;
  }
  if (!yes) {
    cli.stderr.write(heldText(status));
    const what = held.length === 1 ? 'release lets 1 delete go' : `release lets ${held.length} deletes go`;
    if (!(await isAgreed(cli, what, 'Let them go?'))) {
      cli.stdout.write('nothing was released\n');
      return exit.failed;
    }
  }
  const answer = await ask(config.runtimeDirectory, 'gateway', 'POST', '/release', cli.signal);
  const { released }: { readonly released: number } = JSON.parse(answer);
  const done = released === 1 ? '1 held delete is' : `${released} held deletes are`;
  cli.stdout.write(released === 0 ? 'nothing is held\n' : `${done} released\n`);
  return exit.ok;
}
