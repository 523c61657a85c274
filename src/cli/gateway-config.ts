import type { Command } from 'commander';
import type { RoleName } from '../config/config.ts';
import type { ConfigProblem } from '../config/config-problem.ts';
import type { LoadRequest, LoadResult } from '../config/file.ts';
import type { Flag } from '../config/layers.ts';
import { type Cli, printJson } from './cli.ts';
import { configFile, globalFlags, optionsOf } from './options.ts';

/**
 * The configuration of the daemon of a gateway, from file, environment and command line; the warnings are for its log.
 *
 * @returns undefined when it is refused: the problems are printed, and the command ends with `exit.config`
 */
export async function readForDaemon(
  cli: Cli,
  command: Command,
): Promise<Extract<LoadResult, { kind: 'loaded' }> | undefined> {
  // YAML and convict take a third of the start-up time; `version` and `--help` do not need them.
  const { loadGatewayConfig } = await import('../config/load.ts');
  return printErrors(cli, command, loadGatewayConfig(requestOf(cli, command, [])));
}

export function requestOf(
  cli: Cli,
  command: Command,
  flags: readonly Flag[],
  role: RoleName = 'gateway',
): LoadRequest {
  const options = optionsOf(command);
  return {
    file: configFile(options, cli, role),
    env: cli.env,
    flags: [...globalFlags(options), ...flags],
    cwd: cli.cwd,
  };
}

type Loaded = { readonly kind: 'loaded'; readonly warnings: readonly ConfigProblem[] };
type Refused = Extract<LoadResult, { kind: 'refused' }>;

/** Where a configuration is looked at: `config` and `plan`. A daemon has its warnings in its log, `doctor` in a check. */
export async function printWarnings(cli: Cli, { warnings }: Loaded): Promise<void> {
  const { problemLine } = await import('../config/config-problem.ts');
  for (const warning of warnings) cli.stderr.write(`warning: ${problemLine(warning)}\n`);
}

/** Prints the errors of a configuration that is refused. */
export async function printErrors<T extends Loaded>(
  cli: Cli,
  command: Command,
  result: T | Refused,
): Promise<T | undefined> {
  if (result.kind === 'loaded') return result;
  const { problemLine } = await import('../config/config-problem.ts');
  for (const error of result.errors) cli.stderr.write(`${problemLine(error)}\n`);
  if (optionsOf<{ readonly json?: boolean }>(command).json) {
    printJson(cli, { errors: result.errors.map(problemJson) });
  }
  return undefined;
}

export function problemJson({ origin, key, what }: ConfigProblem): object {
  switch (origin.kind) {
    case 'file':
      return { file: origin.file, ...origin.at, key, message: what };
    case 'environment':
      return { variable: origin.variable, key, message: what };
    case 'flag':
      return { flag: origin.flag, key, message: what };
    case 'default':
      return { key, message: what };
    default:
      return origin satisfies never;
  }
}
