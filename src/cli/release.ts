import type { Command } from 'commander';
import { readGatewayOnly } from './any-config.ts';
import type { Cli } from './cli.ts';
import { type ExitCode, exit } from './exit.ts';
import type { Program } from './program.ts';

export function addRelease({ root, run }: Program): void {
  root
    .command('release')
    .description('release the deletes that the running daemon holds because they are too many at once')
    .action(run(release));
}

async function release(cli: Cli, command: Command): Promise<ExitCode> {
  const config = await readGatewayOnly(cli, command, 'held deletes');
  if (config === undefined) return exit.config;
  const { ask } = await import('../daemon/ask.ts');
  const answer = await ask(config.runtimeDirectory, 'gateway', 'POST', '/release', cli.signal);
  const { released }: { readonly released: number } = JSON.parse(answer);
  const what = released === 1 ? '1 held delete is' : `${released} held deletes are`;
  cli.stdout.write(released === 0 ? 'nothing is held\n' : `${what} released\n`);
  return exit.ok;
}
