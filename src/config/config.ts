import type { DeleteLimits } from '../model/delete-limits.ts';
import type { Gateway } from '../model/gateway.ts';
import type { Ip } from '../model/ip.ts';
import type { NodeAgent } from '../model/node-agent.ts';
import type { Pace } from '../model/pace.ts';

export type RoleName = 'gateway' | 'node';

/** The source of the cluster. */
export type Source =
  | {
      readonly kind: 'kubernetes';
      readonly kubeconfig: string | undefined;
      readonly context: string | undefined;
    }
  | { readonly kind: 'file'; readonly path: string };

/** The whole configuration of `eiproute gateway`, checked, with every default filled in. */
export interface GatewayConfig {
  readonly gateway: Gateway;
  readonly source: Source;
  /** Ledger of sysctls and last known cluster. */
  readonly stateDirectory: string;
  /** The status socket. */
  readonly runtimeDirectory: string;
  /** The read-only listener for metrics, health and the page; undefined: none. */
  readonly metrics: ListenAddress | undefined;
  readonly pace: Pace;
  readonly limits: DeleteLimits;
  readonly probe: ProbeTerms;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
  readonly logFormat: 'auto' | 'pretty' | 'json';
}

/** Where a TCP listener is. */
export interface ListenAddress {
  /** An IP address. */
  readonly host: Ip;
  readonly port: number;
}

/** How far the gateway trusts its own probe of the nodes. */
export interface ProbeTerms {
  /** When more than this part of the nodes goes silent within a second, it is doubted. */
  readonly share: number;
  /** ms after which a node gets traffic although its kube-proxy never said that it serves; 0: at once */
  readonly wait: number;
  /** kube-proxy's own health check; 0: not asked */
  readonly proxyPort: number;
  /** ms for which a draining node keeps its flows */
  readonly drainLimit: number;
  /** Whether a cordoned node drains. */
  readonly cordon: 'drains' | 'ignored';
}

/** The ConfigMap that a node takes its EIP networks from. */
export interface EipsOrigin {
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
  readonly namespace: string;
  readonly name: string;
  /** Of its data. */
  readonly key: string;
  /** ms between two polls, plus or minus a quarter */
  readonly every: number;
}

/** The whole configuration of `eiproute node`, checked, with every default filled in. */
export interface NodeConfig {
  /** Its `eips` are empty when they come from the ConfigMap of `eipsFrom` alone. */
  readonly agent: NodeAgent;
  readonly eipsFrom: EipsOrigin | undefined;
  /** Ledger of sysctls, last known EIP networks. */
  readonly stateDirectory: string;
  /** The status socket. */
  readonly runtimeDirectory: string;
  /** The folder of iproute2's names of numbers. */
  readonly namesDirectory: string;
  readonly metrics: GatewayConfig['metrics'];
  readonly pace: Pace;
  readonly logLevel: GatewayConfig['logLevel'];
  readonly logFormat: GatewayConfig['logFormat'];
}
