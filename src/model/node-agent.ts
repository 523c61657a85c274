import type { Ip, Prefix } from './ip.ts';

/** What a node agent is to do, as values: the part of the configuration that decides what is in the kernel. */
export interface NodeAgent {
  /** Sorted, disjoint. */
  readonly eips: readonly Prefix[];
  /** In the order of the configuration; the first of each family takes what no mark steers. */
  readonly gateways: readonly AgentGateway[];
  /** Interface toward the gateways; undefined: the one in whose network the first gateway is. */
  readonly interface: string | undefined;
  readonly localTable: number;
  readonly priorities: Priorities;
  /** Bits of packet and connection marks that are ours. */
  readonly markMask: number;
  readonly protocol: number;
  /** The local table holds `local 0/0`, as the recipe has it, instead of the EIPs only. */
  readonly literalLocal: boolean;
}

export interface AgentGateway {
  readonly address: Ip;
  readonly table: number;
  /** Within the mask, neither 0 nor the whole mask. */
  readonly mark: number;
}

/** Of our policy rules; lower is asked first. */
export interface Priorities {
  /** The first gateway's; those of the others of its family follow. */
  readonly marks: number;
  readonly local: number;
  readonly replies: number;
}
