import type { Command } from 'commander';
import type { RoleName } from '../config/config.ts';
import { defaultFile, defaultNodeFile, fileVariable } from '../config/default-file.ts';
import type { Flag } from '../config/layers.ts';
import type { Cli } from './cli.ts';

/** The options of every command, before or after its name. */
export interface GlobalOptions {
  readonly config?: string;
  readonly logLevel?: string;
  readonly logFormat?: string;
}

/** `--config`, else EIPROUTE_CONFIG, else the role's file in /etc/eiproute. */
export function configFile(options: GlobalOptions, cli: Cli, role: RoleName): string {
  return options.config ?? (cli.env[fileVariable] || (role === 'node' ? defaultNodeFile : defaultFile));
}

/** The global options that are settings of the configuration. */
export function globalFlags({ logLevel, logFormat }: GlobalOptions): readonly Flag[] {
  const flags: Flag[] = [];
  if (logLevel !== undefined) flags.push({ flag: '--log-level', key: 'log.level', value: logLevel });
  if (logFormat !== undefined) flags.push({ flag: '--log-format', key: 'log.format', value: logFormat });
  return flags;
}

/** The options of a command with those of its parents. */
export function optionsOf<T extends object>(command: Command): T & GlobalOptions {
  return command.optsWithGlobals<T & GlobalOptions>();
}
