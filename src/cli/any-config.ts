import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import type { GatewayConfig, NodeConfig, RoleName } from '../config/config.ts';
import { defaultFile, defaultNodeFile } from '../config/default-file.ts';
import type { LoadRequest, LoadResult } from '../config/file.ts';
import type { Flag } from '../config/layers.ts';
import type { Cli } from './cli.ts';
import { requestOf, told } from './gateway-config.ts';

type Loaded<Config> = Extract<LoadResult<Config>, { kind: 'loaded' }>;
type Refused = Extract<LoadResult, { kind: 'refused' }>;

/** A configuration of either role, and which. */
export type AnyLoaded =
  | ({ readonly role: 'gateway' } & Loaded<GatewayConfig>)
  | ({ readonly role: 'node' } & Loaded<NodeConfig>);

/**
 * Reads the configuration of whichever role it is: the file tells, by its keys.
 *
 * @param flags options of this command that are settings
 * @param role read it as this one's, whatever its keys say
 * @returns undefined when it is refused: all is said then, and the command ends with `exit.config`
 */
export async function readAnyConfig(
  cli: Cli,
  command: Command,
  flags: readonly Flag[] = [],
  role?: RoleName,
): Promise<AnyLoaded | undefined> {
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
  return told(cli, command, loadFile(requestOf(cli, command, flags, role ?? roleOfThisHost()), read));
}

/** Where no file is named: a host that has a node's file only is a node. */
function roleOfThisHost(): RoleName {
  return existsSync(defaultNodeFile) && !existsSync(defaultFile) ? 'node' : 'gateway';
}

/** A node's configuration. */
export async function readNode(cli: Cli, command: Command): Promise<Loaded<NodeConfig> | undefined> {
  const { loadNodeConfig } = await import('../config/load-node.ts');
  return told(cli, command, loadNodeConfig(requestOf(cli, command, [], 'node')));
}
