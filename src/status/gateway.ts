import type { PathTable } from '../desire/path-table.ts';
import type { Verdict } from '../desire/verdict.ts';
import { clusterOf, type Node } from '../model/cluster.ts';
import type { ConntrackCount } from '../model/conntrack.ts';
import type { Hosts } from '../model/host.ts';
import type { LookupNote } from '../model/lookup-note.ts';
import { clusterState, eipCounts, type GatewayFacts, gatewayHealth } from './health.ts';
import { nodeStatuses } from './nodes.ts';
import {
  type AnnounceStatus,
  type ClusterStatus,
  type Figures,
  feedStatus,
  figuresOf,
  type GatewayFigures,
  type GatewayStatus,
  type LeaseStatus,
  type PoolUse,
  type PublishStatus,
  type StatusInputs,
  statusOf,
} from './status.ts';

/** What a gateway tells beside its state. */
export interface GatewayInputs extends StatusInputs {
  readonly facts: GatewayFacts;
  readonly paths: Pick<PathTable, 'held' | 'candidates' | 'routedIn'>;
  readonly nodes: readonly Node[];
  readonly hosts: Hosts;
  /** By the name of the node. */
  readonly verdicts: ReadonlyMap<string, Verdict>;
  /** How many EIPs leave a node, by its name. */
  readonly leaving: ReadonlyMap<string, number>;
  readonly address: string | undefined;
  /** How many addresses there are to give, by pool and family. */
  readonly sizes: readonly Omit<PoolUse, 'used'>[];
  readonly waiting: number | undefined;
  readonly lease: LeaseStatus | undefined;
  readonly announce: AnnounceStatus | undefined;
  readonly publish: PublishStatus | undefined;
  /** Each of several; absent: there is one, without a name. */
  readonly clusters?: readonly ClusterInputs[];
  readonly conntrack: ConntrackCount | undefined;
  readonly lookup: readonly LookupNote[];
}

/** What is known of one of several clusters beside its feeds. */
export type ClusterInputs = Pick<ClusterStatus, 'name' | 'address' | 'lease' | 'publish'>;

export function gatewayStatus(inputs: GatewayInputs): GatewayStatus {
  const { facts } = inputs;
  const { heard: _, leases: __, ...counted } = gatewayFigures(inputs);
  return {
    ...statusOf('gateway', gatewayHealth(facts), inputs),
    ...counted,
    lease: inputs.lease,
    publish: inputs.publish,
    source: { kind: facts.source, address: inputs.address },
    feeds: facts.cluster.feeds.map(feedStatus),
    ...lookupOf(inputs.lookup),
    ...(inputs.clusters && { clusters: inputs.clusters.map((one) => clusterStatus(one, inputs)) }),
  };
}

/** As the JSON has them: absent where there are none. */
export function lookupOf(notes: readonly LookupNote[]): Pick<GatewayStatus, 'lookup'> {
  return notes.length === 0 ? {} : { lookup: notes };
}

function clusterStatus(one: ClusterInputs, { facts, paths }: GatewayInputs): ClusterStatus {
  const of = facts.cluster.clusters?.find(({ name }) => name === one.name);
  return {
    ...one,
    state: clusterState(facts, one.name),
    remembered: of?.remembered ?? false,
    nodes: [...paths.candidates.byName.keys()].filter((node) => clusterOf(node) === one.name).length,
    eips: paths.routedIn(one.name),
  };
}

/** The part of the status that metrics need: without the lists of all that is wrong. */
export function figuresOfGateway(inputs: GatewayInputs): Figures {
  return {
    ...figuresOf('gateway', gatewayHealth(inputs.facts), inputs),
    gateway: gatewayFigures(inputs),
    gateways: [],
  };
}

function gatewayFigures({
  facts,
  paths,
  nodes,
  hosts,
  verdicts,
  leaving,
  sizes,
  waiting,
  lease,
  announce,
  clusters,
  conntrack,
}: GatewayInputs): GatewayFigures {
  return {
    eips: eipCounts(facts),
    nodes: nodeStatuses(nodes, paths.candidates, hosts, verdicts, leaving),
    heard: facts.cluster.feeds.map(({ cluster, resource, heard: at }) => ({
      ...(cluster === undefined ? {} : { cluster }),
      resource,
      at,
    })),
    pools: sizes.map((pool) => ({ ...pool, used: paths.held(pool.name, pool.family) })),
    waiting,
    leases: leasesOf(lease, clusters),
    announce,
    ...(conntrack && { conntrack }),
  };
}

function leasesOf(
  lease: LeaseStatus | undefined,
  clusters: readonly ClusterInputs[] | undefined,
): GatewayFigures['leases'] {
  if (clusters === undefined) return lease === undefined ? [] : [{ leads: lease.leads }];
  return clusters.flatMap(({ name, lease: own }) =>
    own === undefined ? [] : [{ cluster: name, leads: own.leads }],
  );
}
