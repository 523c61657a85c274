import type { Command } from 'commander';
import { type Cli, printJson } from './cli.ts';
import { type ExitCode, exit } from './exit.ts';
import { complaintJson, readConfig } from './gateway-config.ts';
import { optionsOf } from './options.ts';
import type { Program } from './program.ts';

interface Options {
  readonly json?: boolean;
  readonly origin?: boolean;
}

export function addConfig({ root, run }: Program): void {
  const config = root.command('config').description('check the configuration, or show it');
  config
    .command('check')
    .description('exit 0 when the configuration is good, 2 with one line per error when it is not')
    .option('--json', 'print JSON')
    .action(run(check));
  config
    .command('print')
    .description('show the effective configuration, defaults filled in')
    .option('--origin', 'tell where each value came from')
    .option('--json', 'print JSON')
    .action(run(print));
}

async function check(cli: Cli, command: Command): Promise<ExitCode> {
  const loaded = await readConfig(cli, command);
  if (loaded === undefined) return exit.config;
  const { json } = optionsOf<Options>(command);
  if (json) printJson(cli, { errors: [], warnings: loaded.warnings.map(complaintJson) });
  return exit.ok;
}

async function print(cli: Cli, command: Command): Promise<ExitCode> {
  const loaded = await readConfig(cli, command);
  if (loaded === undefined) return exit.config;
  const { json, origin } = optionsOf<Options>(command);
  const { nestedNotation, printYaml } = await import('../config/notation.ts');
  const { config, origins } = loaded;
  if (!json) {
    cli.stdout.write(printYaml(config, origin ? origins : undefined));
    return exit.ok;
  }
  const { originText } = await import('../config/complaint.ts');
  const places = Object.fromEntries([...origins].map(([key, place]) => [key, originText(place)]));
  printJson(cli, { config: nestedNotation(config), ...(origin ? { origins: places } : {}) });
  return exit.ok;
}
