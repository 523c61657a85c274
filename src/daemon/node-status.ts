import type { LinkNames } from '../model/iproute.ts';
import type { Station } from '../model/listing.ts';
import type { NodeAgent } from '../model/node-agent.ts';
import type { Blind } from '../reconcile/loop.ts';
import type { Report } from '../reconcile/report.ts';
import { type Brief, lastRound, type Status } from './status.ts';

/** All that a node's status is made from. */
export interface NodeStanding {
  readonly release: string;
  /** ms since the epoch */
  readonly started: number;
  readonly agent: NodeAgent;
  readonly stations: readonly Station[];
  readonly names: LinkNames;
  readonly report: Report | undefined;
  readonly blind: Blind | undefined;
}

/** A gateway that is silent does not count: what it would need is in place for when it is back. */
export function nodeBrief({ report, blind, agent, stations }: NodeStanding): Brief {
  const synced =
    report !== undefined &&
    blind === undefined &&
    report.failed.length === 0 &&
    report.conflicts.length === 0 &&
    report.held.length === 0 &&
    report.problems.every(({ severity }) => severity !== 'error');
  return { version: 1, synced, summary: sentence() };

  function sentence(): string {
    if (blind) return `cannot read the kernel: ${blind.error.message}`;
    if (report === undefined) return 'starting';
    const parts = [
      `answering for ${agent.eips.join(', ')} through ${stations.length} of ${agent.gateways.length} gateways`,
    ];
    if (report.failed.length > 0) parts.push(`${report.failed.length} refused by the kernel`);
    if (report.conflicts.length > 0) parts.push(`${report.conflicts.length} in conflict`);
    if (report.problems.length > 0) parts.push(`${report.problems.length} problems`);
    return parts.join('; ');
  }
}

export function nodeStatus(standing: NodeStanding): Status {
  const { agent, stations, report, names } = standing;
  return {
    ...nodeBrief(standing),
    release: standing.release,
    pid: process.pid,
    started: new Date(standing.started).toISOString(),
    feeds: [],
    eips: [],
    gateways: agent.gateways.map(({ address, table, mark }) => ({
      address,
      mac: stations.find(({ ip }) => ip === address)?.mac,
      table,
      mark: `0x${mark.toString(16).padStart(8, '0')}`,
    })),
    problems: report?.problems ?? [],
    ...lastRound(report, names),
  };
}
