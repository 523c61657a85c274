import { isDeepStrictEqual } from 'node:util';
import { type Document, isMap, isPair, isScalar, visit, Document as YamlDocument } from 'yaml';
import type { ObjectName } from '../model/cluster.ts';
import type { Pool } from '../model/gateway.ts';
import { openTerms } from '../model/pool.ts';
import type { GatewayConfig, NamedAccess, NodeConfig } from './config.ts';
import { type Origin, originText } from './config-problem.ts';
import { durationText, listenText } from './format.ts';
import { nodeLeaves } from './node-schema.ts';
import { leaves } from './schema.ts';

/** A value of YAML and JSON. */
export type Plain = string | number | boolean | readonly Plain[] | { readonly [key: string]: Plain };

export type Config = GatewayConfig | NodeConfig;

/** Dotted keys and values. */
export type Notation = readonly (readonly [key: string, value: Plain])[];
/** undefined: nothing to be written. */
type Partial = readonly (readonly [key: string, value: Plain | undefined])[];

/**
 * The configuration as dotted keys and values, in the order of the schema. Reading them gives the same configuration.
 * They hold no secrets: the configuration names secrets by their path alone.
 */
export function notation(config: Config): Notation {
  const entries = 'agent' in config ? nodeNotation(config) : gatewayNotation(config);
  return entries.flatMap(([key, value]) => (value === undefined ? [] : [[key, value] as const]));
}

function gatewayNotation(config: GatewayConfig): Partial {
  const { gateway, source, pace, limits, probe, publish } = config;
  const file = source.kind === 'file' ? source.path : undefined;
  const kubernetes = source.kind === 'kubernetes' ? source : undefined;
  const via = gateway.defaultRoutes.length === 0 ? undefined : gateway.defaultRoutes;
  const { resilience, allocation, announce, nat } = gateway;
  const lease = allocation?.lease;
  const seconds = (count: number): string => durationText(count * 1000);
  return [
    [leaves.kubeconfig.key, kubernetes?.kubeconfig],
    [leaves.context.key, kubernetes?.context],
    [leaves.sourceFile.key, file],
    ['clusters', source.kind === 'clusters' ? source.clusters.map(clusterNotation) : undefined],
    [leaves.lan.key, gateway.lan],
    [leaves.uplink.key, gateway.uplink],
    [leaves.defaultRoute.key, via],
    ['pools', gateway.pools.map(poolNotation)],
    [leaves.allocate.key, allocation !== undefined],
    [leaves.allocateClass.key, allocation?.class],
    [leaves.classless.key, allocation?.classless],
    [leaves.finalizer.key, allocation?.finalizer],
    [leaves.lease.key, allocation && (lease === undefined ? false : `${lease.namespace}/${lease.name}`)],
    [leaves.protocol.key, gateway.protocol],
    [leaves.table.key, gateway.table],
    [leaves.announce.key, announce?.table !== undefined],
    [leaves.announceTable.key, announce?.table],
    [leaves.layer2Interface.key, announce?.segment],
    [
      leaves.activeAddress.key,
      announce === undefined || announce.active.length === 0 ? undefined : announce.active,
    ],
    [leaves.publish.key, publish === undefined ? false : nameText(publish.configMap)],
    [leaves.publishName.key, publish?.name],
    [leaves.publishLan.key, publish === undefined || publish.lan.length === 0 ? undefined : publish.lan],
    [leaves.mode.key, gateway.mode ?? 'routed'],
    [leaves.natSource.key, nat?.source],
    [leaves.natInside.key, nat === undefined || nat.inside.length === 0 ? undefined : nat.inside],
    [leaves.natAffinity.key, nat?.affinity],
    [leaves.natSeed.key, nat?.seed],
    [leaves.weightByEndpoints.key, gateway.weighByEndpoints],
    [leaves.resilient.key, resilience !== undefined],
    [leaves.buckets.key, resilience?.buckets],
    [leaves.idleTimer.key, resilience && seconds(resilience.idleTimer)],
    [leaves.unbalancedTimer.key, resilience && seconds(resilience.unbalancedTimer)],
    [leaves.hashPolicy.key, gateway.hash],
    [leaves.segmentSize.key, gateway.segmentSize ?? 0],
    [leaves.hashSeed.key, gateway.hashSeed],
    [leaves.nexthopCompatMode.key, gateway.nexthopCompat],
    [leaves.reachable.key, durationText(gateway.neighbour.reachableMs)],
    [leaves.firstProbe.key, seconds(gateway.neighbour.delaySeconds)],
    [leaves.retransmit.key, durationText(gateway.neighbour.retransMs)],
    [leaves.settle.key, durationText(pace.settle)],
    [leaves.resync.key, durationText(pace.resync)],
    [leaves.retryFirst.key, durationText(pace.retryFirst)],
    [leaves.retryLongest.key, durationText(pace.retryLongest)],
    [leaves.share.key, limits.share],
    [leaves.window.key, durationText(limits.window)],
    [leaves.always.key, limits.always],
    [leaves.hold.key, durationText(limits.hold)],
    [leaves.probeShare.key, probe.share],
    [leaves.probeWait.key, durationText(probe.wait)],
    [leaves.proxyPort.key, probe.proxyPort],
    [leaves.kubeletPort.key, probe.kubeletPort],
    [leaves.drainLimit.key, durationText(probe.drainLimit)],
    [leaves.drainCordon.key, probe.cordon === 'drains'],
    [leaves.stateDirectory.key, config.stateDirectory],
    [leaves.runtimeDirectory.key, config.runtimeDirectory],
    [leaves.metricsListen.key, config.metrics && listenText(config.metrics)],
    [leaves.logLevel.key, config.logLevel],
    [leaves.logFormat.key, config.logFormat],
  ];
}

function nameText({ namespace, name }: ObjectName): string {
  return `${namespace}/${name}`;
}

function nodeNotation({ agent, eipsFrom, follow, pace, ...rest }: NodeConfig): Partial {
  return [
    ['eips', agent.eips.length === 0 ? undefined : agent.eips],
    [nodeLeaves.eipsKubeconfig.key, eipsFrom?.kubeconfig],
    [nodeLeaves.eipsContext.key, eipsFrom?.context],
    [nodeLeaves.eipsConfigMap.key, eipsFrom && `${eipsFrom.namespace}/${eipsFrom.name}`],
    [nodeLeaves.eipsKey.key, eipsFrom?.key],
    [nodeLeaves.eipsEvery.key, eipsFrom && durationText(eipsFrom.every)],
    [nodeLeaves.follow.key, follow !== undefined],
    [nodeLeaves.followKubeconfig.key, follow?.kubeconfig],
    [nodeLeaves.followContext.key, follow?.context],
    [nodeLeaves.followConfigMap.key, follow && nameText(follow.configMap)],
    [nodeLeaves.followNode.key, follow?.node],
    [nodeLeaves.followTell.key, follow?.tell],
    [
      'gateways',
      agent.gateways.length === 0
        ? undefined
        : agent.gateways.map(({ address, table, mark }) => ({ address, table, mark })),
    ],
    [nodeLeaves.interface.key, agent.interface],
    [nodeLeaves.localTable.key, agent.localTable],
    [nodeLeaves.repliesTable.key, follow?.repliesTable],
    [nodeLeaves.marksPriority.key, agent.priorities.marks],
    [nodeLeaves.localPriority.key, agent.priorities.local],
    [nodeLeaves.repliesPriority.key, agent.priorities.replies],
    [nodeLeaves.markMask.key, agent.markMask],
    [nodeLeaves.literalLocal.key, agent.literalLocal],
    [nodeLeaves.protocol.key, agent.protocol],
    [nodeLeaves.settle.key, durationText(pace.settle)],
    [nodeLeaves.resync.key, durationText(pace.resync)],
    [nodeLeaves.retryFirst.key, durationText(pace.retryFirst)],
    [nodeLeaves.retryLongest.key, durationText(pace.retryLongest)],
    [nodeLeaves.stateDirectory.key, rest.stateDirectory],
    [nodeLeaves.runtimeDirectory.key, rest.runtimeDirectory],
    [nodeLeaves.namesDirectory.key, rest.namesDirectory],
    [nodeLeaves.metricsListen.key, rest.metrics && listenText(rest.metrics)],
    [nodeLeaves.logLevel.key, rest.logLevel],
    [nodeLeaves.logFormat.key, rest.logFormat],
  ];
}

/** A pool with the terms that differ from the defaults. */
function clusterNotation({ name, kubeconfig, context }: NamedAccess): Plain {
  return {
    name,
    ...(kubeconfig === undefined ? {} : { kubeconfig }),
    ...(context === undefined ? {} : { context }),
  };
}

function poolNotation({ name, addresses, terms = openTerms, ...pool }: Pool): Plain {
  const { aggregate, communities, announce, mode } = pool;
  return {
    name,
    ...(terms.nodeAddresses ? { nodeAddresses: true } : { addresses }),
    ...(terms.autoAssign ? {} : { autoAssign: false }),
    ...(terms.avoidBuggyIps ? { avoidBuggyIPs: true } : {}),
    ...(terms.priority === undefined ? {} : { priority: terms.priority }),
    ...(terms.namespaces.length === 0 ? {} : { namespaces: terms.namespaces }),
    ...(Object.keys(terms.serviceSelector).length === 0 ? {} : { serviceSelector: terms.serviceSelector }),
    ...(terms.enforce ? { enforce: true } : {}),
    ...(announce === undefined ? {} : { announce }),
    ...(aggregate === undefined
      ? {}
      : {
          aggregate: {
            ...(aggregate[4] === undefined ? {} : { ipv4: aggregate[4] }),
            ...(aggregate[6] === undefined ? {} : { ipv6: aggregate[6] }),
          },
        }),
    ...(communities === undefined ? {} : { communities }),
    ...(mode === undefined ? {} : { mode }),
  };
}

/** The keys whose values differ, in the order of the schema, including added and removed keys. */
export function changedKeys(before: Config, after: Config): readonly string[] {
  const old = new Map(notation(before));
  const now = new Map(notation(after));
  const keys = new Set([...old.keys(), ...now.keys()]);
  return [...keys].filter((key) => !isDeepStrictEqual(old.get(key), now.get(key)));
}

/** As nested sections: { log: { level: 'info' } }. */
export function nestedNotation(config: Config): Plain {
  const root: Record<string, Plain> = {};
  const sections = new Map<string, Record<string, Plain>>();
  for (const [key, value] of notation(config)) {
    const [name = key, inner] = key.split('.');
    if (inner === undefined) {
      root[name] = value;
      continue;
    }
    const section = sections.get(name) ?? {};
    section[inner] = value;
    sections.set(name, section);
    root[name] = section;
  }
  return root;
}

/** As a YAML file; with origins, each line ends in the source of its value. */
export function printYaml(config: Config, origins?: ReadonlyMap<string, Origin>): string {
  const document: Document = new YamlDocument(nestedNotation(config));
  // A mark is a bit mask: in hexadecimal.
  visit(document, {
    Pair: (_, { key, value }) => {
      if (isScalar(key) && isScalar(value) && /^mark(Mask)?$/.test(String(key.value))) value.format = 'HEX';
    },
  });
  if (origins) comment(document.contents, '', origins);
  return document.toString({ lineWidth: 0, flowCollectionPadding: true });
}

function comment(node: unknown, path: string, origins: ReadonlyMap<string, Origin>): void {
  if (!isMap(node)) return;
  for (const pair of node.items) {
    if (!isPair(pair) || !isScalar(pair.key)) continue;
    const key = path === '' ? String(pair.key.value) : `${path}.${pair.key.value}`;
    const origin = origins.get(key);
    if (origin === undefined) comment(pair.value, key, origins);
    else if (isScalar(pair.value)) pair.value.comment = ` ${originText(origin)}`;
    else if (isMap(pair.value)) pair.value.commentBefore = ` ${originText(origin)}`;
    else pair.key.comment = ` ${originText(origin)}`;
  }
}
