import type { Command } from 'commander';
import { readNode } from './any-config.ts';
import type { Cli } from './cli.ts';
import { type ExitCode, exit } from './exit.ts';
import { configFile, optionsOf } from './options.ts';
import type { Program } from './program.ts';
import { logAccessWarnings, logConfigWarnings, reloads, setUpDaemon } from './running.ts';
import { release } from './version.ts';

export function addNode({ root, run }: Program): void {
  root
    .command('node')
    .description(
      'run the node agent: accept EIP traffic, and return replies through the gateway it came from',
    )
    .action(run(node));
}

async function node(cli: Cli, command: Command): Promise<ExitCode> {
  const loaded = await readNode(cli, command);
  if (loaded === undefined) return exit.config;
  const { config, warnings } = loaded;
  const file = configFile(optionsOf(command), cli, 'node');
  const setUp = await setUpDaemon(cli, config);
  await logConfigWarnings(setUp.log, warnings);
  const access = config.eipsFrom ?? config.follow;
  if (access) await logAccessWarnings(cli, setUp.log, access);
  const { runNode } = await import('../daemon/node.ts');
  const again = reloads(cli, config, setUp, () => readNode(cli, command));
  await runNode({ config, release, reloads: again, configFile: file, ...setUp }, cli.signal);
  return exit.ok;
}
