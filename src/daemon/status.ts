import type { PathTable } from '../desire/path-table.ts';
import type { Feed, Overview } from '../model/cluster.ts';
import { compareIp } from '../model/ip.ts';
import { describe, type LinkNames } from '../model/iproute.ts';
import { type Counts, changeObject } from '../model/object.ts';
import type { Problem } from '../model/problem.ts';
import type { KernelUnreadable } from '../reconcile/loop.ts';
import type { Report } from '../reconcile/report.ts';

/** The version is raised when a field of it or of {@link Status} changes its meaning or is removed. */
export interface Summary {
  readonly version: 1;
  /** All lists have arrived, and nothing is refused or held. A conflict with a foreign object does not count. */
  readonly synced: boolean;
  /** One sentence for a person: 'routing 12 EIPs over 3 nodes'. */
  readonly summary: string;
}

/** What `eiproute status --json` prints. */
export interface Status extends Summary {
  readonly release: string;
  readonly pid: number;
  /** ISO 8601 */
  readonly started: string;
  readonly round: RoundStatus | undefined;
  readonly feeds: readonly Feed[];
  readonly wanted: Counts | undefined;
  readonly installed: Counts | undefined;
  readonly eips: readonly EipStatus[];
  /** Of a node: the gateways of its replies. */
  readonly gateways?: readonly GatewayStatus[];
  readonly problems: readonly Problem[];
  readonly conflicts: readonly ConflictStatus[];
  readonly failed: readonly FailedStatus[];
  readonly held: readonly HeldStatus[];
}

export interface RoundStatus {
  readonly number: number;
  readonly at: string;
  readonly ms: number;
  readonly reasons: readonly string[];
}

export interface EipStatus {
  readonly eip: string;
  readonly services: readonly string[];
  /** Empty: no node can serve the Service now. */
  readonly nodes: readonly string[];
}

export interface GatewayStatus {
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
  readonly reason: string;
  readonly until: string | undefined;
}

/** The sources of the status of a gateway. */
export interface StatusInputs {
  readonly release: string;
  readonly started: number;
  /** The paths of the EIPs, as of the last round. */
  readonly paths: Pick<PathTable, 'paths' | 'counts'>;
  readonly cluster: Overview;
  readonly names: LinkNames;
  /** The last round that could read the kernel. */
  readonly report: Report | undefined;
  /** Set while the kernel cannot be read. */
  readonly unreadable: KernelUnreadable | undefined;
}

export function summarize(inputs: StatusInputs): Summary {
  const { report, unreadable, cluster } = inputs;
  return { version: 1, synced: isSynced(report, unreadable, cluster), summary: sentence(inputs) };
}

export function status(inputs: StatusInputs): Status {
  const { report, cluster, names } = inputs;
  const eips = [...inputs.paths.paths()]
    .map(({ eip, services, carriers }) => ({ eip, services, nodes: carriers.map(({ node }) => node) }))
    .sort((a, b) => compareIp(a.eip, b.eip));
  return {
    ...summarize(inputs),
    release: inputs.release,
    pid: process.pid,
    started: iso(inputs.started),
    feeds: cluster.feeds,
    eips,
    problems: report?.problems ?? cluster.problems,
    ...lastRound(report, names),
  };
}

/** The fields about the last round, for either role. */
export function lastRound(
  report: Report | undefined,
  names: LinkNames,
): Pick<Status, 'round' | 'wanted' | 'installed' | 'conflicts' | 'failed' | 'held'> {
  return {
    round: report && {
      number: report.round,
      at: iso(report.at),
      ms: Math.round(report.duration * 1000) / 1000,
      reasons: report.reasons.map(({ text }) => text),
    },
    wanted: report?.wanted,
    installed: report?.installed,
    conflicts: (report?.conflicts ?? []).map(({ want, why, holder }) => ({
      object: describe(want, names),
      why: why.text,
      holder: holder && describe(holder, names),
    })),
    failed: (report?.failed ?? []).map(({ change, why, message }) => ({
      object: describe(changeObject(change), names),
      why: why.text,
      error: message,
    })),
    held: (report?.held ?? []).map(({ change, reason, until }) => ({
      object: describe(changeObject(change), names),
      reason,
      until: until === undefined ? undefined : iso(until),
    })),
  };
}

function isSynced(
  report: Report | undefined,
  unreadable: KernelUnreadable | undefined,
  cluster: Overview,
): boolean {
  return (
    report !== undefined &&
    unreadable === undefined &&
    report.complete &&
    cluster.complete &&
    report.failed.length === 0 &&
    report.held.length === 0
  );
}

/** One sentence, also for `systemctl status`. */
function sentence({ report, unreadable, cluster, paths }: StatusInputs): string {
  if (unreadable) return `cannot read the kernel: ${unreadable.error.message}`;
  if (report === undefined) return 'starting';
  const { routed, idle, nodes } = paths.counts;
  const missing = report.wanted.route - report.installed.route;
  const parts = [`routing ${counted(routed, 'EIP')} over ${counted(nodes, 'node')}`];
  if (idle > 0) parts.push(`${counted(idle, 'EIP')} that no node can serve`);
  if (missing > 0) parts.push(`${counted(missing, 'route')} missing`);
  if (!cluster.complete) parts.push('waiting for the first complete lists');
  const deaf = cluster.feeds.filter(({ trouble }) => trouble !== undefined);
  const [first] = deaf;
  if (first) parts.push(`${deaf.map(({ resource }) => resource).join(', ')}: ${first.trouble}`);
  const { failed, held, conflicts, problems } = report;
  if (failed.length > 0) parts.push(`${failed.length} refused by the kernel`);
  if (held.length > 0) parts.push(`${held.length} held`);
  if (conflicts.length > 0) parts.push(`${conflicts.length} in conflict`);
  if (problems.length > 0) parts.push(counted(problems.length, 'problem'));
  return parts.join('; ');
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
