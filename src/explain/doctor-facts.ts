import type { Elsewhere } from '../daemon/namespace.ts';
import type { DefaultRoute } from '../kernel/default-routes.ts';
import type { Gateway } from '../model/gateway.ts';
import type { Family, Ip } from '../model/ip.ts';
import type { NeighbourState } from '../model/listing.ts';
import type { NodeAgent } from '../model/node-agent.ts';
import type { Link } from '../model/object.ts';
import type { Problem } from '../model/problem.ts';
import type { State } from '../status/state.ts';
import type { ForwardVerdict } from './forward-hooks.ts';
import type { Right } from './rights.ts';
import type { Attempt, NotAsked } from './trace-facts.ts';

/** The inputs of the checks of a host. Each part is read by itself, so that one that fails hides no other. */
export interface DoctorFacts {
  /** ms since the epoch */
  readonly now: number;
  readonly release: string;
  readonly configuration: ConfigurationFacts;
  /** undefined: the kernel cannot be read */
  readonly links: readonly Link[] | undefined;
  /** Requirements that this host does not meet. */
  readonly lacks: readonly Problem[];
  /** `6.1.0-18-amd64` */
  readonly kernel: string;
  readonly abilities: AbilityFacts | NotAsked;
  /** Of each cluster; none: the cluster is read from a file, or this is a node */
  readonly apis: readonly NamedApi[];
  readonly defaultRoutes: readonly DefaultRouteFacts[];
  readonly managers: ManagerFacts;
  readonly firewall: readonly FirewallFacts[];
  /** Of this network namespace. */
  readonly routingDaemons:
    | { readonly kind: 'asked'; readonly asked: readonly RoutingDaemonFacts[] }
    | NotAsked;
  readonly nodes: NodesFacts | NotAsked;
  readonly agents: readonly AgentFacts[];
  readonly daemon: DaemonFacts;
}

export type ConfigurationFacts =
  | {
      readonly kind: 'gateway';
      readonly file: string;
      readonly warnings: readonly string[];
      readonly gateway: Gateway;
      /** Addresses in the pools; Infinity where nobody counts them. */
      readonly addresses: number;
    }
  | {
      readonly kind: 'node';
      readonly file: string;
      readonly warnings: readonly string[];
      readonly agent: NodeAgent;
    }
  | { readonly kind: 'refused'; readonly file: string; readonly errors: readonly string[] };

/** What the kernel supports, as tried in a network namespace that was made for this. */
export interface AbilityFacts {
  readonly kind: 'tried';
  /** `nexthop`, `group`, `resilient`, `ipv6`, `nft` */
  readonly able: ReadonlySet<string>;
  readonly wanted: readonly string[];
}

export interface NamedApi extends ApiFacts {
  /** Absent: it is the only one. */
  readonly cluster?: string;
}

export interface ApiFacts {
  /** undefined: the kubeconfig cannot be used */
  readonly server: string | undefined;
  /** Why it cannot be reached, with advice; undefined: it answers. */
  readonly trouble: string | undefined;
  /** `v1.31.2` */
  readonly version: string | undefined;
  /** ms until it answered */
  readonly latency: number | undefined;
  /** The end of the server's certificate, in ms since the epoch; undefined: not known */
  readonly certificateEnds: number | undefined;
  /** ms that this clock is ahead of the server's, of which only whole seconds are known; undefined: not known */
  readonly ahead: number | undefined;
  readonly credential: CredentialFacts | undefined;
  readonly rights: readonly { readonly right: Right; readonly allowed: boolean }[] | NotAsked;
  /** What a person should know of the kubeconfig although it works. */
  readonly warnings: readonly Problem[];
}

export interface CredentialFacts {
  /** `the token`, `the client certificate` */
  readonly what: string;
  /** ms since the epoch; undefined: it does not say */
  readonly ends: number | undefined;
}

/** Of one family of the pools. */
export interface DefaultRouteFacts {
  readonly family: Family;
  /** The router of the configuration. */
  readonly configured: Ip | undefined;
  /** The kernel's default routes, the strongest first. */
  readonly present: readonly DefaultRoute[];
  /** The state of the router; undefined: the kernel has no entry for it */
  readonly neighbour: NeighbourState | undefined;
}

export interface ManagerFacts {
  /** Names of programs that run in this network namespace and manage routes. */
  readonly running: readonly string[];
  /** What systemd-networkd was told to leave alone, of `ManageForeignRoutes` and the like. */
  readonly networkd: ReadonlyMap<string, string>;
  /** Interfaces of ours that NetworkManager manages. */
  readonly networkManager: readonly string[];
}

/** What the firewall does with packets to a pool. */
export interface FirewallFacts {
  readonly pool: string;
  readonly family: Family;
  readonly verdict: ForwardVerdict | NotAsked;
}

/** A routing daemon, and how many of the routes that it is to announce it has. */
export interface RoutingDaemonFacts {
  readonly daemon: RoutingDaemon;
  readonly answer: RoutingAnswer;
}

export type RoutingDaemon = 'BIRD' | 'FRR';

export type RoutingAnswer =
  | {
      readonly kind: 'tells';
      readonly families: readonly FamilyRoutes[];
      readonly sessions: readonly BgpSession[];
    }
  /** Its configuration includes nothing of what `eiproute bird` or `eiproute frr` prints. */
  | { readonly kind: 'not included' }
  | { readonly kind: 'silent'; readonly why: string }
  | { readonly kind: 'not permitted'; readonly why: string };

export interface FamilyRoutes {
  readonly family: Family;
  /** Routes that it has, to announce. */
  readonly has: number;
  /**
   * Routes in the kernel before and after the daemon was asked: those of the announce table; for FRR, those of EIPs.
   */
  readonly should: { readonly least: number; readonly most: number };
}

export interface BgpSession {
  /** `up4`, `203.0.113.254` */
  readonly name: string;
  /** `Established`, in the daemon's words */
  readonly state: string;
}

export interface NodesFacts {
  readonly kind: 'asked';
  /** `by the API`, `by the last known state` */
  readonly known: string;
  /** Those that were asked. */
  readonly hosts: readonly HostFacts[];
  /** How many there are. */
  readonly total: number;
  /** What keeps the kernel from asking all of them. */
  readonly limits: readonly Problem[];
}

export interface HostFacts {
  readonly name: string;
  readonly ip: Ip;
  readonly state: NeighbourState | undefined;
}

/** Connections to an EIP of a pool, from the LAN and from the uplink. */
export interface AgentFacts {
  readonly pool: string;
  readonly family: Family;
  readonly asked:
    | {
        readonly kind: 'asked';
        readonly to: string;
        readonly fromLan: Attempt;
        readonly fromUplink: Attempt;
        /**
         * For a pool of mode nat: the node whose NodePort was asked from the uplink, past the NAT table, which would
         * masquerade this host's own connections. Replies that come back by the LAN count.
         */
        readonly node?: string;
      }
    | NotAsked;
}

/** What agents say they serve, as the gateway judges it. */
export interface ToldFacts {
  /** The number of nodes that may carry traffic and whose agent says what it serves. */
  readonly told: number;
  readonly nodes: number;
  readonly problems: readonly Problem[];
}

export type DaemonFacts =
  | {
      readonly kind: 'runs';
      readonly state: State;
      readonly summary: string;
      readonly release: string;
      /** Set: the daemon works in another network namespace, so the facts of this one do not concern it. */
      readonly elsewhere: Elsewhere | undefined;
      /** What the daemon of a gateway says of the agents of the nodes. */
      readonly agents?: ToldFacts;
    }
  | { readonly kind: 'silent'; readonly why: string };
