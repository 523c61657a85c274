import type { NodeAgent } from '../model/node-agent.ts';
import type { DaemonState } from './daemon.ts';
import { lastRound, type Status, type Summary } from './status.ts';

/** A silent gateway does not prevent synced: its rules and routes are in place for its return. */
export function nodeSummary(agent: NodeAgent, { report, unreadable, neighbours }: DaemonState): Summary {
  const synced =
    report !== undefined &&
    unreadable === undefined &&
    report.failed.length === 0 &&
    report.conflicts.length === 0 &&
    report.held.length === 0 &&
    report.problems.every(({ severity }) => severity !== 'error');
  return { version: 1, synced, summary: sentence() };

  function sentence(): string {
    if (unreadable) return `cannot read the kernel: ${unreadable.error.message}`;
    if (report === undefined) return 'starting';
    if (agent.eips.length === 0) return 'the networks of EIPs are not known yet; nothing is changed';
    const parts = [
      `answering for ${agent.eips.join(', ')} through ${neighbours.length} of ${agent.gateways.length} gateways`,
    ];
    if (report.failed.length > 0) parts.push(`${report.failed.length} refused by the kernel`);
    if (report.conflicts.length > 0) parts.push(`${report.conflicts.length} in conflict`);
    if (report.problems.length > 0) parts.push(`${report.problems.length} problems`);
    return parts.join('; ');
  }
}

export function nodeStatus(agent: NodeAgent, state: DaemonState): Status {
  const { neighbours, report, names } = state;
  return {
    ...nodeSummary(agent, state),
    release: state.release,
    pid: process.pid,
    started: new Date(state.started).toISOString(),
    feeds: [],
    eips: [],
    gateways: agent.gateways.map(({ address, table, mark }) => ({
      address,
      mac: neighbours.find(({ ip }) => ip === address)?.mac,
      table,
      mark: `0x${mark.toString(16).padStart(8, '0')}`,
    })),
    problems: report?.problems ?? [],
    ...lastRound(report, names),
  };
}
