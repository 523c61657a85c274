import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { GatewayConfig, NodeConfig, RoleName } from '../config/config.ts';
import { defaultFile, defaultNodeFile } from '../config/default-file.ts';
import type { LoadRequest, LoadResult } from '../config/file.ts';
import type { Flag } from '../config/layers.ts';
import { type Cli, Failure } from './cli.ts';
import { printErrors, requestOf } from './gateway-config.ts';
import { configFile, optionsOf } from './options.ts';

type Loaded<Config> = Extract<LoadResult<Config>, { kind: 'loaded' }>;
type Refused = Extract<LoadResult, { kind: 'refused' }>;

/** A configuration with its role. */
export type AnyLoaded =
  | ({ readonly role: 'gateway' } & Loaded<GatewayConfig>)
  | ({ readonly role: 'node' } & Loaded<NodeConfig>);

/**
 * Reads the configuration of either role; the keys of the file decide which.
 *
 * @param flags options of this command that are settings
 * @param role overrides the decision by keys
 * @returns undefined when it is refused: the errors are printed, and the command ends with `exit.config`
 */
export async function readAnyConfig(
  cli: Cli,
  command: Command,
  flags: readonly Flag[] = [],
  role?: RoleName,
): Promise<AnyLoaded | undefined> {
  return printErrors(cli, command, (await loadAnyConfig(cli, command, flags, role)).result);
}

/** The same, and prints nothing. The role is that of the file that was looked for. */
export async function loadAnyConfig(
  cli: Cli,
  command: Command,
  flags: readonly Flag[] = [],
  role?: RoleName,
): Promise<{ readonly role: RoleName; readonly result: AnyLoaded | Refused }> {
  const { loadFile } = await import('../config/file.ts');
  const { readGatewayConfig } = await import('../config/load.ts');
  const { readNodeConfig } = await import('../config/load-node.ts');
  const { roleOf } = await import('../config/role.ts');
  const read = (bytes: Uint8Array, request: LoadRequest): AnyLoaded | Refused => {
    if ((role ?? roleOf(bytes)) === 'node') {
      const result = readNodeConfig(bytes, request);
      return result.kind === 'loaded' ? { role: 'node', ...result } : result;
    }
    const result = readGatewayConfig(bytes, request);
    return result.kind === 'loaded' ? { role: 'gateway', ...result } : result;
  };
  const assumed = role ?? roleOfThisHost();
  return { role: assumed, result: loadFile(requestOf(cli, command, flags, assumed), read) };
}

/**
 * The gateway's configuration for a command about what only a gateway has.
 *
 * @param what it is about, as the subject of a sentence: 'pools'
 * @throws Failure for the file of a node
 */
export async function readGatewayOnly(
  cli: Cli,
  command: Command,
  what: string,
): Promise<GatewayConfig | undefined> {
  const loaded = await readAnyConfig(cli, command);
  if (loaded?.role !== 'node') return loaded?.config;
  const file = configFile(optionsOf(command), cli, 'node');
  throw new Failure(
    `${file} is the configuration of a node; ${what} belong to the gateway: ask there, or name its file with --config`,
  );
}

/** Without `--config`: a host where somebody has written a node's file only is a node. */
function roleOfThisHost(): RoleName {
  return isWritten(defaultNodeFile) && !isWritten(defaultFile) ? 'node' : 'gateway';
}

/** Whether more is in it than the comments that the package lays; prerm asks the same. */
function isWritten(file: string): boolean {
  try {
    return /^[^#\s]/m.test(readFileSync(file, 'utf8'));
  } catch (error) {
    // Of one that cannot be read, the loader says why.
    return !(error instanceof Error && 'code' in error && error.code === 'ENOENT');
  }
}

/** A node's configuration; the warnings are for the log of its daemon. */
export async function readNode(cli: Cli, command: Command): Promise<Loaded<NodeConfig> | undefined> {
  const { loadNodeConfig } = await import('../config/load-node.ts');
  return printErrors(cli, command, loadNodeConfig(requestOf(cli, command, [], 'node')));
}
