import { nothing } from '../cluster/delta.ts';
import type { GatewayConfig } from '../config/config.ts';
import type { ClusterReader } from '../desire/cluster-reader.ts';
import { nftTableNames } from '../desire/gateway.ts';
import { GatewayDesire, type GatewaySources } from '../desire/gateway-desire.ts';
import { sysctlNames } from '../desire/sysctls.ts';
import { ownerOf } from '../model/owner.ts';
import { unprobed } from '../model/probed.ts';
import type { Problem } from '../model/problem.ts';
import type { Role } from '../reconcile/reconciler.ts';
import { Standings } from './standings.ts';

/** What the engine needs of a gateway. */
export type GatewayRole = Role & { readonly desire: GatewayDesire };

/** The role of a gateway for a command: over a cluster that does not change. */
export function gatewayRole(
  config: GatewayConfig,
  cluster: ClusterReader,
  problems: () => readonly Problem[],
): GatewayRole {
  const standings = new Standings();
  standings.read({
    nodes: cluster.overview().nodes,
    silent: new Set(),
    waiting: new Set(),
    hung: new Set(),
    terms: config.probe,
    proxy: () => 'unknown',
    proxyChanges: 0,
    lead: 0,
    now: 0,
  });
  const sources: GatewaySources = {
    cluster,
    takeDelta: () => nothing,
    // What Kubernetes says of its nodes; nobody is asked.
    probed: { ...unprobed, standings: standings.standings },
    problems: () => [problems()],
  };
  return roleOf(config, new GatewayDesire(config.gateway, sources));
}

export function roleOf({ gateway, limits }: GatewayConfig, desire: GatewayDesire): GatewayRole {
  return {
    scope: {
      owner: ownerOf(gateway.protocol),
      // A table that was named in a former configuration may still announce what nobody routes any more.
      tables: 'all',
      sysctls: sysctlNames(gateway),
      nftTables: nftTableNames(gateway.protocol),
      neighbours: [],
      guarded: {
        table: gateway.table,
        networks: gateway.pools.flatMap(({ addresses }) => addresses),
      },
    },
    limits,
    desire,
  };
}
