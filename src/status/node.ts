import { family } from '../model/ip.ts';
import type { LinkNames } from '../model/iproute.ts';
import type { Neighbour } from '../model/listing.ts';
import type { NodeAgent } from '../model/node-agent.ts';
import type { KernelObject } from '../model/object.ts';
import type { KernelUnreadable } from '../reconcile/loop.ts';
import type { LastReport } from '../reconcile/report.ts';
import { mostUrgentFirst, type Need, reportNeeds, some } from './need.ts';
import { counted, type Health, type State } from './state.ts';
import {
  type Figures,
  type FollowedGateway,
  figuresOf,
  type NodeAgentStatus,
  type ReplyGateway,
  type StatusInputs,
  statusOf,
} from './status.ts';

/** All that the state of a node agent follows from. */
export interface NodeFacts {
  readonly agent: NodeAgent;
  readonly report: LastReport | undefined;
  readonly unreadable: KernelUnreadable | undefined;
  /** The gateways that answer, as of the last dump. */
  readonly neighbours: readonly Neighbour[];
  readonly names: LinkNames;
  /** What the gateways publish of themselves; undefined: none is followed. */
  readonly followed: readonly FollowedGateway[] | undefined;
}

export function nodeHealth(facts: NodeFacts): Health {
  return { ...verdict(facts), needs: () => needs(facts) };
}

function verdict(facts: NodeFacts): Pick<Health, 'state' | 'summary'> {
  const { agent, report, unreadable } = facts;
  if (unreadable !== undefined) {
    const why = unreadable.error.message;
    return { state: 'NOT SYNCED', summary: `cannot read the kernel: ${why}; rules stay as they are` };
  }
  if (report === undefined) return { state: 'NOT SYNCED', summary: 'starting' };
  if (agent.eips.length === 0)
    return { state: 'NOT SYNCED', summary: 'the networks of EIPs are not known yet; nothing is changed' };
  if (agent.gateways.length === 0)
    return { state: 'NOT SYNCED', summary: 'the gateways are not known yet; nothing is changed' };
  const isWhole =
    report.missing.length === 0 &&
    report.failed.length === 0 &&
    report.conflicts.length === 0 &&
    report.held.length === 0 &&
    report.problems.every(({ severity }) => severity !== 'error');
  const state: State = isWhole ? 'OK' : 'DEGRADED';
  const parts = [
    `answering for ${some(agent.eips)} through ${usedGateways(facts, report)} of ${counted(agent.gateways.length, 'gateway')}`,
  ];
  if (report.failed.length > 0) parts.push(`${report.failed.length} refused by the kernel`);
  if (report.conflicts.length > 0) parts.push(`${report.conflicts.length} in conflict`);
  if (report.problems.length > 0) parts.push(counted(report.problems.length, 'problem'));
  return { state, summary: parts.join('; ') };
}

/** How many gateways answer, and have all that leads replies to them in the kernel. */
function usedGateways({ agent, neighbours }: NodeFacts, { missing }: LastReport): number {
  // The n-th gateways of the two families have one table.
  const lacking = new Set(missing.flatMap(({ want }) => wayOf(want) ?? []));
  return agent.gateways.filter(
    ({ address, table }) =>
      neighbours.some(({ ip }) => ip === address) && !lacking.has(`${family(address)} ${table}`),
  ).length;
}

/** The family and the table of what leads replies somewhere; undefined: it leads none. */
function wayOf(object: KernelObject): string | undefined {
  if (object.kind === 'rule') return `${object.family} ${object.table}`;
  return object.kind === 'route' ? `${family(object.dst)} ${object.table}` : undefined;
}

function needs({ report, names }: NodeFacts): readonly Need[] {
  return report === undefined ? [] : mostUrgentFirst(reportNeeds(report, names));
}

export function nodeAgentStatus(facts: NodeFacts, inputs: StatusInputs): NodeAgentStatus {
  return {
    ...statusOf('node', nodeHealth(facts), inputs),
    networks: facts.agent.eips,
    gateways: replyGateways(facts),
    followed: facts.followed,
  };
}

/** The part of the status that metrics need. */
export function figuresOfNode(facts: NodeFacts, inputs: StatusInputs): Figures {
  return {
    ...figuresOf('node', nodeHealth(facts), inputs),
    gateway: undefined,
    gateways: replyGateways(facts),
  };
}

function replyGateways({ agent, neighbours }: NodeFacts): readonly ReplyGateway[] {
  return agent.gateways.map(({ address, table, mark }) => ({
    address,
    mac: neighbours.find(({ ip }) => ip === address)?.mac,
    table,
    mark: `0x${mark.toString(16).padStart(8, '0')}`,
  }));
}
