import type { GatewayConfig } from '../config/config.ts';
import { LinuxKernel } from '../kernel/linux.ts';
import { LinuxLookups } from '../kernel/linux-lookups.ts';
import { LinuxNeighbours } from '../kernel/linux-neighbours.ts';
import { LinuxSegment } from '../kernel/linux-segment.ts';
import { inheritedPacketSockets } from '../kernel/packet-sockets.ts';
import { ClusterChanges } from './cluster-changes.ts';
import { Daemon, type DaemonOptions } from './daemon.ts';
import { Draining } from './draining.ts';
import { needFolder } from './folders.ts';
import { GatewayClusters } from './gateway-clusters.ts';
import { GatewayDaemon } from './gateway-daemon.ts';
import { identity } from './identity.ts';
import { lock } from './lock.ts';

export interface GatewayOptions extends DaemonOptions {
  readonly config: GatewayConfig;
  /** Yields a valid configuration at each reload. */
  readonly reloads: AsyncIterable<GatewayConfig>;
}

/**
 * The daemon of a gateway: runs until the signal is aborted, and leaves routes and settings in place.
 *
 * @throws DaemonError, KernelError when it cannot start
 */
export async function runGateway(options: GatewayOptions, signal: AbortSignal): Promise<void> {
  const { config, reloads } = options;
  const { stateDirectory, runtimeDirectory, publish } = config;
  await needFolder('stateDirectory', stateDirectory);
  await needFolder('runtimeDirectory', runtimeDirectory);
  await using _lock = await lock(config.gateway.protocol, runtimeDirectory);
  await using kernel = await LinuxKernel.open(stateDirectory);
  await using neighbours = new LinuxNeighbours();
  await using lookups = new LinuxLookups();
  await using segment = new LinuxSegment(inheritedPacketSockets());
  const changes = new ClusterChanges();
  await using clusters = new GatewayClusters({ ...config, believed: (name) => changes.believed(name) });
  const published = publish ? clusters.configMaps(publish.configMap) : [];
  await using _published = disposed(published.map(({ port }) => port));
  const daemon = new Daemon(kernel, options, { waitsForLists: true });
  const gateway = new GatewayDaemon({
    config,
    daemon,
    kernel,
    neighbours,
    lookups,
    segment,
    clusters,
    changes,
    published,
    draining: await Draining.recall(stateDirectory),
    identity: config.gateway.allocation || publish ? await identity(stateDirectory) : '',
  });
  await gateway.recall();
  await daemon.run(gateway, gateway.watches(reloads), signal);
}

function disposed(all: readonly AsyncDisposable[]): AsyncDisposable {
  return {
    async [Symbol.asyncDispose]() {
      await Promise.all(all.map((one) => one[Symbol.asyncDispose]()));
    },
  };
}
