import type { Family, Ip } from './ip.ts';
import { noProbePaths, type ProbePaths } from './probe-path.ts';

/** What the gateway has seen of the nodes by itself: an input of the desire. */
export interface Probed extends ProbedServices {
  /**
   * Why addresses of nodes get no traffic, or no new flows; most have no entry. The same map as long as nothing in it
   * changes.
   */
  readonly standings: ReadonlyMap<Ip, Standing>;
  /**
   * Each node has answered or is silent, since packets can leave by the LAN. Before that, the first node to answer
   * takes the flows of all: the kernel skips members of a group whose link-layer address it does not know yet.
   */
  readonly areNodesHeard: boolean;
  /** The nodes that are to be asked for EIPs, one by one; the same object as long as nothing in it changes. */
  readonly probePaths: ProbePaths;
  /**
   * The Services, as `namespace/name`, that have begun or ceased to wait for a node, to cover for one, or to be left by
   * one, since the last call. Those whose change came with the Service itself may be missing.
   */
  takeTurned(): ReadonlySet<string>;
}

/** What the gateway has seen of the nodes, as far as it decides where the EIPs of Services go. */
export interface ProbedServices {
  /**
   * The names of nodes that get no traffic of a Service yet.
   *
   * @param service `namespace/name`
   */
  waiting(service: string): ByFamily;
  /**
   * The names of nodes that had endpoints of a Service under Local until recently; nodes that have some again may be
   * among them.
   *
   * @param service `namespace/name`
   */
  formerCarriers(service: string): ByFamily;
  /** The same object as long as nothing in it changes. */
  readonly formerNodes: FormerNodes;
  /**
   * The names of nodes on which all endpoints of a Service under Local are terminating, and which still get its traffic
   * while the agents are being told.
   *
   * @param service `namespace/name`
   */
  leaving(service: string): ByFamily;
}

/**
 * - silent: it does not answer. No group leads there while one of its other nodes answers.
 * - draining: no new flows while another node gets them; where the kernel can, it keeps the flows that it has.
 * - drained: no flows while another node gets them.
 * - waiting: it is new, or back, and its dataplane has not answered yet. No flows while another node gets them.
 */
export type Standing = 'silent' | 'draining' | 'drained' | 'waiting';

/** What kube-proxy's own health check says of its node; unknown: it never answered, or is not asked. */
export type ProxyHealth = 'serves' | 'refuses' | 'gone' | 'unknown';

/** Names of nodes. Each family has rules of its own. */
export type ByFamily = Readonly<Record<Family, ReadonlySet<string>>>;

/** Nodes that carried until recently, and that carry for no Service now: they were deleted, or are left out. */
export interface FormerNodes {
  /** The last addresses of deleted nodes, by name. Among them are nodes that were recreated with other addresses. */
  readonly deleted: ReadonlyMap<string, readonly Ip[]>;
  /** Names of those that the others cover for under Cluster, by cluster; undefined: there is one, without a name. */
  readonly covered: ReadonlyMap<string | undefined, ByFamily>;
}

/**
 * How a node that took the traffic of a Service until lately is with it now.
 *
 * - leaving: its last endpoints of the Service end. It keeps the flows that it has where agents follow the gateways, and
 *   gets no new ones.
 * - covered: it is gone, or has no endpoint. Its neighbours take its part over until it is back.
 */
export interface LateCarrier {
  readonly standing: 'leaving' | 'covered';
  /** undefined: it has no address of the family now. */
  readonly ip: Ip | undefined;
  /** ms since the epoch; it may be over before. */
  readonly until: number;
}

/**
 * The nodes that took the traffic of the Service `namespace/name` until lately, by name. Among them may be those that
 * take it again.
 */
export type LateCarriers = (service: string, of: Family) => ReadonlyMap<string, LateCarrier>;

export const nobody: ReadonlySet<string> = new Set();

export const nobodyByFamily: ByFamily = { 4: nobody, 6: nobody };

export const noFormerNodes: FormerNodes = { deleted: new Map(), covered: new Map() };

export const noStandings: ReadonlyMap<Ip, Standing> = new Map();

const noLateCarriers: ReadonlyMap<string, LateCarrier> = new Map();

/** Without a probe nobody knows who carried before. */
export const nobodyLately: LateCarriers = () => noLateCarriers;

/** Without a probe every node answers, and none waits. */
export const unprobed: Probed = {
  standings: noStandings,
  areNodesHeard: true,
  probePaths: noProbePaths,
  waiting: () => nobodyByFamily,
  formerCarriers: () => nobodyByFamily,
  formerNodes: noFormerNodes,
  leaving: () => nobodyByFamily,
  takeTurned: () => nobody,
};
