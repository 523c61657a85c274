import { type Command, Option } from 'commander';
import type { RoleName } from '../config/config.ts';
import { type AnyLoaded, readAnyConfig } from './any-config.ts';
import { type Cli, printJson } from './cli.ts';
import { type ExitCode, exit } from './exit.ts';
import { printWarnings, problemJson } from './gateway-config.ts';
import { optionsOf } from './options.ts';
import type { Program } from './program.ts';

interface Options {
  readonly role?: RoleName;
  readonly json?: boolean;
  readonly origin?: boolean;
}

export function addConfig({ root, run }: Program): void {
  const config = root.command('config').description('check the configuration, or show it');
  config
    .command('check')
    .description('exit 0 when the configuration is good, 2 with one line per error when it is not')
    .addOption(roleOption())
    .option('--json', 'print JSON')
    .action(run(check));
  config
    .command('print')
    .description('show the effective configuration, defaults filled in')
    .addOption(roleOption())
    .option('--origin', 'tell where each value came from')
    .option('--json', 'print JSON')
    .action(run(print));
}

function roleOption(): Option {
  return new Option('--role <role>', 'whose configuration it is (default: its keys tell)').choices([
    'gateway',
    'node',
  ]);
}

async function read(cli: Cli, command: Command): Promise<AnyLoaded | undefined> {
  const loaded = await readAnyConfig(cli, command, [], optionsOf<Options>(command).role);
  if (loaded !== undefined) await printWarnings(cli, loaded);
  return loaded;
}

async function check(cli: Cli, command: Command): Promise<ExitCode> {
  const loaded = await read(cli, command);
  if (loaded === undefined) return exit.config;
  const { json } = optionsOf<Options>(command);
  if (json) printJson(cli, { errors: [], warnings: loaded.warnings.map(problemJson) });
  return exit.ok;
}

async function print(cli: Cli, command: Command): Promise<ExitCode> {
  const loaded = await read(cli, command);
  if (loaded === undefined) return exit.config;
  const { json, origin } = optionsOf<Options>(command);
  const { nestedNotation, printYaml } = await import('../config/notation.ts');
  const { config, origins } = loaded;
  if (!json) {
    cli.stdout.write(printYaml(config, origin ? origins : undefined));
    return exit.ok;
  }
  const { originText } = await import('../config/config-problem.ts');
  const places = Object.fromEntries([...origins].map(([key, place]) => [key, originText(place)]));
  printJson(cli, { config: nestedNotation(config), ...(origin ? { origins: places } : {}) });
  return exit.ok;
}
