import type { AnnounceState } from '../desire/announcements.ts';
import type { Feed, Resource } from '../model/cluster.ts';
import type { ConntrackCount } from '../model/conntrack.ts';
import type { Family, Ip } from '../model/ip.ts';
import { describe, type LinkNames } from '../model/iproute.ts';
import type { LookupNote } from '../model/lookup-note.ts';
import { type Counts, changeObject } from '../model/object.ts';
import type { Problem } from '../model/problem.ts';
import type { GatewayState } from '../model/publication.ts';
import type { LastReport } from '../reconcile/report.ts';
import type { EipCounts } from './health.ts';
import { eipOf, type Need } from './need.ts';
import type { NodeStatus } from './nodes.ts';
import { type Health, iso, type State, type Summary, summaryOf } from './state.ts';

/** What `eiproute status --json` prints; docs/status.schema.json describes it. All times are ISO 8601 in UTC. */
export interface Status extends Summary {
  readonly role: 'gateway' | 'node';
  readonly release: string;
  readonly host: string;
  readonly pid: number;
  readonly started: string;
  /** When this was answered. */
  readonly now: string;
  /** The configuration file. */
  readonly config: string | undefined;
  /** What a person should look at, the most urgent first. */
  readonly needs: readonly Need[];
  readonly round: RoundStatus | undefined;
  /** Objects of the kernel that should be there, by kind, and how many of them are as they should be. */
  readonly wanted: Counts | undefined;
  readonly installed: Counts | undefined;
  /** What was put back after another program had changed or removed it. */
  readonly repairs: RepairStatus;
  readonly problems: readonly Problem[];
  readonly conflicts: readonly ConflictStatus[];
  readonly failed: readonly FailedStatus[];
  readonly held: readonly HeldStatus[];
}

export interface GatewayStatus extends Status {
  readonly role: 'gateway';
  readonly eips: EipCounts;
  readonly nodes: readonly NodeStatus[];
  readonly source: SourceStatus;
  readonly feeds: readonly FeedStatus[];
  /** Each of several clusters; absent: there is one, without a name, and these fields say it. */
  readonly clusters?: readonly ClusterStatus[];
  readonly pools: readonly PoolUse[];
  /** Services that wait for an address; undefined: this gateway gives none. */
  readonly waiting: number | undefined;
  /** undefined: there is none. */
  readonly lease: LeaseStatus | undefined;
  /** undefined: nothing is published here (publish.configMap: false, or no API to publish to). */
  readonly publish: PublishStatus | undefined;
  /** undefined: nothing is announced here (announce: false). */
  readonly announce: AnnounceStatus | undefined;
  /** Of which EIPs the kernel is not asked whether it takes their routes; absent: it is asked of all that this can be asked of. */
  readonly lookup?: readonly LookupNote[];
}

/** One of several clusters. */
export interface ClusterStatus {
  readonly name: string;
  /** FROZEN: no word for too long, and its routes stay as they are; NOT SYNCED: its lists are not in since the start. */
  readonly state: 'OK' | 'FROZEN' | 'NOT SYNCED';
  /** What is routed is its last known state, from disk. */
  readonly remembered: boolean;
  /** That may carry traffic. */
  readonly nodes: number;
  /** That go to its nodes. */
  readonly eips: number;
  /** Of its API server; undefined: not known yet */
  readonly address: string | undefined;
  /** undefined: there is no Lease */
  readonly lease: LeaseStatus | undefined;
  /** undefined: nothing is published */
  readonly publish: PublishStatus | undefined;
}

/** What the agents of the nodes are told. */
export interface PublishStatus {
  /** NAMESPACE/NAME */
  readonly configMap: string;
  /** The key of this gateway. */
  readonly name: string;
  readonly state: 'published' | 'not read yet' | 'not published';
  /** undefined: it is published. */
  readonly why: string | undefined;
}

/** What is announced, and how. */
export interface AnnounceStatus {
  /** That routing daemons read; undefined: they are told nothing. */
  readonly table: number | undefined;
  /** Where ARP and NDP are answered for EIPs; undefined: nowhere. */
  readonly segment: string | undefined;
  /** EIPs that another host claims there now; undefined without layer 2. */
  readonly claimed: number | undefined;
  /** Packets in which others have claimed an EIP, since the start; undefined without layer 2. */
  readonly claims: number | undefined;
  /** A family without pools is absent. */
  readonly ipv4: FamilyAnnounceStatus | undefined;
  readonly ipv6: FamilyAnnounceStatus | undefined;
  /** ISO 8601; undefined: the gateway is not drained. */
  readonly drainingSince: string | undefined;
}

export interface FamilyAnnounceStatus {
  readonly state: AnnounceState;
  /** EIPs that are announced, in either way. */
  readonly eips: number;
}

export interface NodeAgentStatus extends Status {
  readonly role: 'node';
  /** The networks that it answers for. */
  readonly networks: readonly string[];
  readonly gateways: readonly ReplyGateway[];
  /** Those that publish; undefined: the agent follows none. */
  readonly followed: readonly FollowedGateway[] | undefined;
}

export type AnyStatus = GatewayStatus | NodeAgentStatus;

export interface RoundStatus {
  readonly number: number;
  readonly at: string;
  readonly ms: number;
  readonly reasons: readonly string[];
}

export interface RepairStatus {
  /** Since the start. */
  readonly count: number;
  readonly last: string | undefined;
}

export interface SourceStatus {
  readonly kind: 'kubernetes' | 'file';
  /** The address of the API server, or the path of the file; undefined: not known yet. */
  readonly address: string | undefined;
}

export interface FeedStatus {
  /** Absent: of the one cluster, without a name. */
  readonly cluster?: string;
  readonly resource: Resource;
  /** The first list was complete. */
  readonly synced: boolean;
  /** undefined: never. */
  readonly heard: string | undefined;
  readonly trouble: string | undefined;
}

/** Of one pool and family. */
export interface PoolUse {
  readonly name: string;
  readonly family: Family;
  /** null: 2^53 or more */
  readonly size: number | null;
  readonly used: number;
}

export interface LeaseStatus {
  /** This gateway holds it, and gives addresses. */
  readonly leads: boolean;
  readonly holder: string | undefined;
}

/** A gateway by what it publishes of itself. */
export interface FollowedGateway {
  readonly name: string;
  readonly state: GatewayState;
  /** On the LAN. */
  readonly addresses: readonly string[];
}

/** A gateway of a node's replies. */
export interface ReplyGateway {
  readonly address: string;
  /** undefined: the gateway does not answer ARP or NDP. */
  readonly mac: string | undefined;
  readonly table: number;
  /** `0x00100000` */
  readonly mark: string;
}

export interface ConflictStatus {
  readonly object: string;
  readonly why: string;
  readonly holder: string | undefined;
}

export interface FailedStatus {
  readonly object: string;
  readonly why: string;
  readonly error: string;
}

export interface HeldStatus {
  readonly object: string;
  /** undefined: it is no route of an EIP. */
  readonly eip: Ip | undefined;
  /** Those that it is or was for. */
  readonly services: readonly string[] | undefined;
  readonly reason: string;
  readonly until: string | undefined;
}

/** What can be counted of a daemon: what metrics are made of. It costs what is wrong, and the nodes. */
export interface Figures {
  readonly role: Status['role'];
  readonly release: string;
  readonly state: State;
  /** ms since the epoch; undefined: before the first round */
  readonly round: number | undefined;
  readonly wanted: Counts | undefined;
  readonly installed: Counts | undefined;
  readonly conflicts: number;
  readonly refused: number;
  /** Changes that wait. */
  readonly held: number;
  readonly problems: Readonly<Record<Problem['severity'], number>>;
  /** Of a gateway. */
  readonly gateway: GatewayFigures | undefined;
  /** Of a node agent: the gateways of its replies, and whether they answer. */
  readonly gateways: readonly ReplyGateway[];
}

export interface GatewayFigures {
  readonly eips: EipCounts;
  readonly nodes: readonly NodeStatus[];
  /** ms since the epoch; undefined: never heard */
  readonly heard: readonly {
    readonly cluster?: string;
    readonly resource: Resource;
    readonly at: number | undefined;
  }[];
  readonly pools: readonly PoolUse[];
  readonly waiting: number | undefined;
  /** Whether this gateway holds each Lease; empty: there is none. */
  readonly leases: readonly { readonly cluster?: string; readonly leads: boolean }[];
  readonly announce: AnnounceStatus | undefined;
  /** Absent: no pool has mode nat, or the kernel tracks no connections. */
  readonly conntrack?: ConntrackCount;
}

/** What both roles know of themselves. */
export interface StatusInputs {
  readonly release: string;
  readonly host: string;
  readonly pid: number;
  /** ms since the epoch */
  readonly started: number;
  readonly now: number;
  readonly config: string | undefined;
  readonly repairs: { readonly count: number; readonly last: number | undefined };
  readonly report: LastReport | undefined;
  readonly names: LinkNames;
}

/** The figures that both roles have. */
export function figuresOf(
  role: Status['role'],
  { state }: Pick<Health, 'state'>,
  { release, report }: Pick<StatusInputs, 'release' | 'report'>,
): Omit<Figures, 'gateway' | 'gateways'> {
  const problems = { error: 0, warn: 0 };
  for (const { severity } of report?.problems ?? []) problems[severity] += 1;
  return {
    role,
    release,
    state,
    round: report?.at,
    wanted: report?.wanted,
    installed: report?.installed,
    conflicts: report?.conflicts.length ?? 0,
    refused: report?.failed.length ?? 0,
    held: report?.held.length ?? 0,
    problems,
  };
}

/** The fields that both roles have. */
export function statusOf<R extends Status['role']>(
  role: R,
  health: Health,
  inputs: StatusInputs,
): Status & { readonly role: R } {
  const { report, names, repairs } = inputs;
  return {
    ...summaryOf(health),
    role,
    release: inputs.release,
    host: inputs.host,
    pid: inputs.pid,
    started: iso(inputs.started),
    now: iso(inputs.now),
    config: inputs.config,
    needs: health.needs(),
    round: report && {
      number: report.round,
      at: iso(report.at),
      ms: Math.round(report.duration * 1000) / 1000,
      reasons: report.reasons.map(({ text }) => text),
    },
    wanted: report?.wanted,
    installed: report?.installed,
    repairs: { count: repairs.count, last: repairs.last === undefined ? undefined : iso(repairs.last) },
    problems: report?.problems ?? [],
    conflicts: (report?.conflicts ?? []).map(({ want, why, holder }) => ({
      object: describe(want, names),
      why: why.text,
      holder: holder && describe(holder, names),
    })),
    failed: (report?.failed ?? []).map(({ change, message }) => ({
      object: describe(changeObject(change), names),
      why: change.why.text,
      error: message,
    })),
    held: (report?.held ?? []).map((one) => ({
      object: describe(changeObject(one), names),
      eip: eipOf(changeObject(one)),
      services: one.why.services,
      reason: one.reason,
      until: one.until === undefined ? undefined : iso(one.until),
    })),
  };
}

export function feedStatus({ cluster, resource, synced, heard, trouble }: Feed): FeedStatus {
  const of = cluster === undefined ? {} : { cluster };
  return { ...of, resource, synced, heard: heard === undefined ? undefined : iso(heard), trouble };
}
