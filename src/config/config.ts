import type { ObjectName } from '../model/cluster.ts';
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
  | { readonly kind: 'file'; readonly path: string }
  /** Behind one gateway; not empty. */
  | { readonly kind: 'clusters'; readonly clusters: readonly NamedAccess[] };

/** How one of several clusters is reached. */
export interface NamedAccess {
  /** A label of DNS. */
  readonly name: string;
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
}

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
  /** undefined: this gateway publishes nothing; nor does one that reads the cluster from a file. */
  readonly publish: PublishTerms | undefined;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
  readonly logFormat: 'auto' | 'pretty' | 'json';
}

/** Where a TCP listener is. */
export interface ListenAddress {
  /** An IP address. */
  readonly host: Ip;
  readonly port: number;
}

/** Where and as what a gateway publishes its pools and addresses. */
export interface PublishTerms {
  readonly configMap: ObjectName;
  /** undefined: the name of the host */
  readonly name: string | undefined;
  /** Its addresses on the LAN, at most one of each family; none: those of the interface. */
  readonly lan: readonly Ip[];
}

/** How far the gateway trusts its own probe of the nodes. */
export interface ProbeTerms {
  /** When more than this part of the nodes goes silent within a second, it is doubted. */
  readonly share: number;
  /** ms after which a node gets traffic although its kube-proxy never said that it serves; 0: at once */
  readonly wait: number;
  /** kube-proxy's own health check; 0: not asked */
  readonly proxyPort: number;
  /** The kubelet, asked when kube-proxy is silent; 0: not asked */
  readonly kubeletPort: number;
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

/** What an agent follows, and what it tells. */
export interface FollowTerms {
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
  /** In which the gateways publish. */
  readonly configMap: ObjectName;
  /** The name of its Node; undefined: the name of the host */
  readonly node: string | undefined;
  /** It tells by an annotation of its Node what it serves. */
  readonly tell: boolean;
  /** Table of the first gateway that is followed. */
  readonly repliesTable: number;
  /** Where the file has them, `/etc/eiproute/node.yaml:2`; undefined: those that are published count. */
  readonly eipsAt: string | undefined;
  readonly gatewaysAt: string | undefined;
}

/** The whole configuration of `eiproute node`, checked, with every default filled in. */
export interface NodeConfig {
  /** Its `eips` are empty when they come from the ConfigMap of `eipsFrom` alone, like its `gateways` with `follow`. */
  readonly agent: NodeAgent;
  readonly eipsFrom: EipsOrigin | undefined;
  /** undefined: it follows no gateway. */
  readonly follow: FollowTerms | undefined;
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
