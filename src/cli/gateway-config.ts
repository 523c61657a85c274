import type { Command } from 'commander';
import type { Complaint } from '../config/complaint.ts';
import type { Flag } from '../config/layers.ts';
import type { LoadResult } from '../config/load.ts';
import { type Cli, printJson } from './cli.ts';
import { configFile, globalFlags, optionsOf } from './options.ts';

/**
 * Reads the configuration as every command does: file, environment, and this command line.
 *
 * @param flags options of this command that are settings
 * @returns undefined when it is refused: all is said then, and the command ends with `exit.config`
 */
export async function readConfig(
  cli: Cli,
  command: Command,
  flags: readonly Flag[] = [],
): Promise<Extract<LoadResult, { kind: 'loaded' }> | undefined> {
  // YAML and convict take a third of the start-up; `version` and `--help` do without.
  const { loadGatewayConfig } = await import('../config/load.ts');
  const { complaintLine } = await import('../config/complaint.ts');
  const options = optionsOf<{ readonly json?: boolean }>(command);
  const loaded = loadGatewayConfig({
    file: configFile(options, cli),
    env: cli.env,
    flags: [...globalFlags(options), ...flags],
    cwd: cli.cwd,
  });
  switch (loaded.kind) {
    case 'loaded':
      for (const warning of loaded.warnings) cli.stderr.write(`warning: ${complaintLine(warning)}\n`);
      return loaded;
    case 'refused':
      for (const error of loaded.errors) cli.stderr.write(`${complaintLine(error)}\n`);
      if (options.json) printJson(cli, { errors: loaded.errors.map(complaintJson) });
      return undefined;
    default:
      return loaded satisfies never;
  }
}

export function complaintJson({ origin, key, what }: Complaint): object {
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
