import type { Ip, Prefix } from './ip.ts';
import type { LeavingNodes } from './publication.ts';

/** Each network of EIPs becomes several policy rules, and the kernel searches rules linearly. */
export const mostNetworks = 1000;

/** The part of a node's configuration that decides what is in the kernel. */
export interface NodeAgent {
  /** Sorted, disjoint. */
  readonly eips: readonly Prefix[];
  /** In the order of the configuration; the first of each family takes packets without a mark. */
  readonly gateways: readonly AgentGateway[];
  /** Interface toward the gateways; undefined: the one in whose network the first gateway is. */
  readonly interface: string | undefined;
  readonly localTable: number;
  readonly priorities: Priorities;
  /** Bits of packet and connection marks that are ours. */
  readonly markMask: number;
  readonly protocol: number;
  /** The local table holds `local 0.0.0.0/0` or `local ::/0` instead of the EIPs only. */
  readonly literalLocal: boolean;
  /** LAN addresses of nodes that drain and keep their flows; undefined: nobody tells. Sorted. */
  readonly draining?: readonly Ip[];
  /** undefined: nobody tells. */
  readonly leaving?: LeavingNodes;
}

export interface AgentGateway {
  readonly address: Ip;
  readonly table: number;
  /** Within the mask, neither 0 nor the whole mask. */
  readonly mark: number;
}

/** Priorities of our policy rules; the lowest is evaluated first. */
export interface Priorities {
  /** Of the first gateway; those of the other gateways of its family follow. */
  readonly marks: number;
  readonly local: number;
  readonly replies: number;
}
