import type { Command } from 'commander';
import about from '../../package.json' with { type: 'json' };
import { type Cli, printJson } from './cli.ts';
import { type ExitCode, exit } from './exit.ts';
import { optionsOf } from './options.ts';
import type { Program } from './program.ts';

export const release: string = about.version;

export function addVersion({ root, run }: Program): void {
  root.command('version').description('show the version').option('--json', 'print JSON').action(run(version));
}

async function version(cli: Cli, command: Command): Promise<ExitCode> {
  const { json } = optionsOf<{ readonly json?: boolean }>(command);
  if (json) printJson(cli, { release, node: process.version });
  else cli.stdout.write(`eiproute ${release}\n`);
  return exit.ok;
}
