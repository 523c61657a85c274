import type { Cluster } from '../cluster/cluster.ts';
import type { GatewayConfig } from '../config/config.ts';
import type { GatewayDesire } from '../desire/gateway-desire.ts';
import type { ShadowedEips } from '../probe/shadowed-eips.ts';
import type { AgentTerms } from '../status/agents.ts';
import { type EipInputs, eipStatuses } from '../status/eips.ts';
import {
  type ClusterInputs,
  figuresOfGateway,
  type GatewayInputs,
  gatewayStatus,
  lookupOf,
} from '../status/gateway.ts';
import { type GatewayFacts, gatewayHealth } from '../status/health.ts';
import { movedStatus } from '../status/moved.ts';
import { pathTarget, pathViews } from '../status/path-view.ts';
import { summaryOf } from '../status/state.ts';
import type { Allocating, AllocationInputs } from './allocation.ts';
import type { Announcing } from './announcing.ts';
import type { DaemonState, RoleAnswers } from './daemon-role.ts';
import { DarkEips, eipsAnswer } from './eips.ts';
import type { GatewayClusters } from './gateway-clusters.ts';
import type { NatFlows } from './nat-flows.ts';
import { pathsAnswer } from './paths.ts';
import { PoolSizes, poolsStatus } from './pools.ts';
import type { Probing } from './probing.ts';
import type { Publishing } from './publishing.ts';
import type { Answer } from './socket.ts';

/** Where the answers of a gateway come from; a function returns the state at its call. */
export interface AnswerSources {
  config(): GatewayConfig;
  /** That of the last round; after a reload, the former one until the first round is over. */
  desire(): GatewayDesire;
  /** What should be routed, as of the last round. */
  counts(): GatewayFacts['counts'];
  inputs(): AllocationInputs;
  readonly cluster: Cluster;
  readonly clusters: GatewayClusters;
  readonly probing: Probing;
  readonly announcing: Announcing;
  /** undefined: this gateway gives no addresses. */
  readonly allocating: Allocating | undefined;
  /** One in each cluster; empty: it publishes nothing. */
  readonly publishing: readonly Publishing[];
  readonly natFlows: NatFlows;
  readonly shadowed: ShadowedEips;
  /** What an agent must serve. */
  agentTerms(): AgentTerms;
}

/** What a gateway says of itself: to systemd, to the socket, to Prometheus. It changes nothing. */
export class GatewayAnswers implements RoleAnswers {
  readonly #sources: AnswerSources;
  readonly #sizes = new PoolSizes();
  readonly #dark = new DarkEips();
  readonly questions = new Map<string, (state: DaemonState, query: URLSearchParams) => Answer>([
    ['/eips', (state, query) => this.#eips(state, query)],
    ['/paths', (state, query) => this.#paths(state, query)],
    ['/pools', () => this.#pools()],
    ['/moved', (_, query) => this.#moved(query.get('node') ?? '')],
  ]);

  constructor(sources: AnswerSources) {
    this.#sources = sources;
  }

  health(state: DaemonState) {
    return gatewayHealth(this.#facts(state));
  }

  status(state: DaemonState) {
    return gatewayStatus(this.#inputs(state));
  }

  figures(state: DaemonState) {
    return figuresOfGateway(this.#inputs(state));
  }

  eips(state: DaemonState) {
    return eipStatuses(this.#eipInputs(state));
  }

  #facts(state: DaemonState): GatewayFacts {
    const { cluster, probing, ...sources } = this.#sources;
    const config = sources.config();
    const desire = sources.desire();
    return {
      ...state,
      lan: config.gateway.lan,
      counts: sources.counts(),
      cluster: cluster.overview(),
      source: config.source.kind === 'file' ? 'file' : 'kubernetes',
      shadowed: sources.shadowed.count,
      dark: this.#dark.of(desire.paths, probing.unheard, state.report),
      unrouted: () => desire.unrouted(),
      announceStates: desire.announcing?.states,
    };
  }

  #inputs(state: DaemonState): GatewayInputs {
    const { cluster, clusters, probing, allocating, announcing, publishing, natFlows, ...sources } =
      this.#sources;
    const of = sources.config().source;
    const [only] = clusters.each;
    const isOne = only?.name === undefined;
    return {
      ...state,
      facts: this.#facts(state),
      paths: sources.desire().paths,
      nodes: cluster.overview().nodes,
      hosts: probing.hosts,
      verdicts: probing.verdicts,
      leaving: probing.leftBy,
      address: of.kind === 'file' ? of.path : isOne ? only?.source.server?.() : undefined,
      sizes: this.#sizes.of(sources.inputs()),
      waiting: allocating?.waiting,
      lease: allocating?.lease,
      announce: announcing.status(),
      publish: isOne ? publishing[0]?.status() : undefined,
      ...(isOne ? {} : { clusters: this.#clusters() }),
      conntrack: natFlows.count,
      lookup: sources.shadowed.notes,
    };
  }

  /** Each of several clusters by itself. */
  #clusters(): readonly ClusterInputs[] {
    const { clusters, allocating, publishing } = this.#sources;
    return clusters.each.map(({ name = '', source }) => ({
      name,
      address: source.server?.(),
      lease: allocating?.leaseOf(name),
      publish: publishing.find((one) => one.cluster === name)?.status(),
    }));
  }

  #eipInputs(state: DaemonState): EipInputs {
    const { probing, ...sources } = this.#sources;
    return {
      ...state,
      paths: sources.desire().paths.paths(),
      table: sources.config().gateway.table,
      silent: probing.unheard,
      standings: probing.standings,
      lately: probing.lately,
      isShadowed: (eip) => sources.shadowed.has(eip),
    };
  }

  #eips(state: DaemonState, query: URLSearchParams): Answer {
    return eipsAnswer(
      { ...summaryOf(this.health(state)), ...lookupOf(this.#sources.shadowed.notes) },
      query.get('of') ?? undefined,
      this.#eipInputs(state),
    );
  }

  #paths(state: DaemonState, query: URLSearchParams): Answer {
    const { cluster, probing, allocating, ...sources } = this.#sources;
    const views = pathViews(pathTarget(query.get('of') ?? ''), {
      cluster,
      gateway: sources.config().gateway,
      probed: probing,
      lately: probing.lately,
      lan: sources.agentTerms().lan,
      problems: [...(state.report?.problems ?? []), ...(allocating?.problems() ?? [])],
    });
    return pathsAnswer(this.health(state), views, probing.hosts);
  }

  #moved(node: string): Answer {
    const { cluster, probing, ...sources } = this.#sources;
    const { verdicts, applied } = probing;
    const paths = sources.desire().paths.paths();
    return JSON.stringify(movedStatus(node, { nodes: cluster.overview().nodes, verdicts, applied, paths }));
  }

  #pools(): Answer {
    const { cluster, allocating, ...sources } = this.#sources;
    const of = {
      ...sources.inputs(),
      services: () => cluster.snapshot().services,
      paths: () => sources.desire().paths.paths(),
    };
    return JSON.stringify(poolsStatus(of, allocating?.lease, allocating?.controller.allocator));
  }
}
