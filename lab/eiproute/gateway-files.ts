import { mkdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pools as mapPools, upstream } from '../network/map.ts';

/** Paths of a gateway's files; all in the folder of the run. */
export interface GatewayFiles {
  readonly config: string;
  readonly kubeconfig: string;
  readonly state: string;
  readonly runtime: string;
  readonly log: string;
}

export function gatewayFiles(folder: string): GatewayFiles {
  return {
    config: join(folder, 'gateway.yaml'),
    kubeconfig: join(folder, 'kubeconfig'),
    state: join(folder, 'state'),
    runtime: join(folder, 'runtime'),
    log: join(folder, 'gateway.log'),
  };
}

export interface GatewaySettings {
  /** Lines of the configuration beside interfaces and pools. */
  readonly lines: string;
  /** The lines of `clusters`; absent: there is one, whose kubeconfig is that of the files. */
  readonly clusters?: string;
  /** Instead of those of the network's map. */
  readonly pools?: readonly string[];
}

export async function writeGatewayConfig(files: GatewayFiles, settings: GatewaySettings): Promise<void> {
  await mkdir(files.state, { recursive: true });
  await mkdir(files.runtime, { recursive: true });
  await writeFile(files.config, gatewayConfig(files, settings));
}

export function gatewayConfig(
  files: GatewayFiles,
  { lines, clusters, pools = mapPools }: GatewaySettings,
): string {
  return `${clusters ?? `kubeconfig: ${files.kubeconfig}`}
lan: eth0
uplink: eth1
defaultRoute:
  via: [${upstream.outer.v4}, "${upstream.outer.v6}"]
pools:
  - name: public
    addresses: [${pools.map((pool) => `"${pool}"`).join(', ')}]
    avoidBuggyIPs: true
publish: { name: "${basename(dirname(files.config))}" }
stateDirectory: ${files.state}
runtimeDirectory: ${files.runtime}
log:
  format: json
${lines}
`;
}
