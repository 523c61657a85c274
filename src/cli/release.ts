import type { Command } from 'commander';
import type { Cli } from './cli.ts';
import { type ExitCode, exit } from './exit.ts';
import { readConfig } from './gateway-config.ts';
import type { Program } from './program.ts';

export function addRelease({ root, run }: Program): void {
  root
    .command('release')
    .description('release the deletes that the running daemon holds because they are too many at once')
    .action(run(release));
}

async function release(cli: Cli, command: Command): Promise<ExitCode> {
  const loaded = await readConfig(cli, command);
  if (loaded === undefined) return exit.config;
  const { ask } = await import('../daemon/ask.ts');
  await ask(loaded.config.runtimeDirectory, 'gateway', 'POST', '/release', cli.signal);
  return exit.ok;
}
