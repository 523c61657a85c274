import { readEips, readGateways, refuseMismatches } from './agent.ts';
import type { EipsOrigin, FollowTerms, NodeConfig } from './config.ts';
import { type LoadRequest, type LoadResult, loadFile, readConfig } from './file.ts';
import type { Layers } from './layers.ts';
import { nodeLeaves, nodeSchema } from './node-schema.ts';
import { warnOfOpenListener } from './open-listener.ts';
import { type Readings, readings, readPace, type Written } from './readings.ts';
import type { FileLayer } from './shape.ts';

/** Reads and checks a node's configuration. Reads nothing of the machine but this file. */
export function loadNodeConfig(request: LoadRequest): LoadResult<NodeConfig> {
  return loadFile(request, readNodeConfig);
}

/** The same for the bytes of a file. */
export function readNodeConfig(bytes: Uint8Array, request: LoadRequest): LoadResult<NodeConfig> {
  return readConfig(bytes, request, nodeSchema, assemble);
}

function assemble(written: Written): NodeConfig {
  const { layer, layers, errors } = written;
  const read = readings(written);
  const { report, optional, preset, path } = read;
  const missing = (key: string, what: string): void => {
    if (!layer.values.has(key) && !errors.some((one) => one.key === key)) report(key, `is missing: ${what}`);
  };
  const eipsFrom = readOrigin(read, layers, (what) => missing(nodeLeaves.eipsConfigMap.key, what));
  const follow = readFollow(read, layer);
  if (follow !== undefined && eipsFrom !== undefined)
    report('eipsFrom', 'is given together with follow; the networks come from one ConfigMap');
  if (eipsFrom === undefined && follow === undefined && !errors.some(({ key }) => key.startsWith('eipsFrom')))
    missing('eips', 'the networks that hold EIPs');
  if (follow === undefined) missing('gateways', 'the addresses of the gateways on the LAN');
  const markMask = preset(nodeLeaves.markMask);
  const localTable = preset(nodeLeaves.localTable);
  const numbering = { table: preset(nodeLeaves.repliesTable), mask: markMask, localTable };
  const eips = layer.values.has('eips') ? readEips(layers.raw('eips'), report) : [];
  const gateways = layer.values.has('gateways')
    ? readGateways(layers.raw('gateways'), numbering, report)
    : [];
  refuseMismatches(eips, gateways, report);
  if (localTable >= 253 && localTable <= 255) {
    report(nodeLeaves.localTable.key, `${localTable} is one of the kernel's own tables; 100 is free`);
  }
  const metrics = optional(nodeLeaves.metricsListen);
  warnOfOpenListener(metrics, nodeLeaves.metricsListen, 'node', written);
  return {
    agent: {
      eips,
      gateways,
      interface: optional(nodeLeaves.interface),
      localTable,
      priorities: {
        marks: preset(nodeLeaves.marksPriority),
        local: preset(nodeLeaves.localPriority),
        replies: preset(nodeLeaves.repliesPriority),
      },
      markMask,
      protocol: preset(nodeLeaves.protocol),
      literalLocal: preset(nodeLeaves.literalLocal),
    },
    eipsFrom,
    follow,
    stateDirectory: path(nodeLeaves.stateDirectory) ?? '',
    runtimeDirectory: path(nodeLeaves.runtimeDirectory) ?? '',
    namesDirectory: path(nodeLeaves.namesDirectory) ?? '',
    pace: readPace(layers, preset, report),
    metrics,
    logLevel: preset(nodeLeaves.logLevel),
    logFormat: preset(nodeLeaves.logFormat),
  };
}

/** @returns undefined when no gateway is followed */
function readFollow({ optional, preset, path }: Readings, layer: FileLayer): FollowTerms | undefined {
  if (!preset(nodeLeaves.follow)) return undefined;
  const placeOf = (key: string): string | undefined => {
    const origin = layer.origin(key, 'value');
    if (!layer.values.has(key) || origin.kind !== 'file') return undefined;
    return origin.at === undefined ? origin.file : `${origin.file}:${origin.at.line}`;
  };
  return {
    kubeconfig: path(nodeLeaves.followKubeconfig),
    context: optional(nodeLeaves.followContext),
    configMap: preset(nodeLeaves.followConfigMap),
    node: optional(nodeLeaves.followNode),
    tell: preset(nodeLeaves.followTell),
    repliesTable: preset(nodeLeaves.repliesTable),
    eipsAt: placeOf('eips'),
    gatewaysAt: placeOf('gateways'),
  };
}

/** @returns undefined when no ConfigMap is configured */
function readOrigin(
  { optional, preset, path }: Readings,
  layers: Layers,
  missing: (what: string) => void,
): EipsOrigin | undefined {
  const { eipsKubeconfig, eipsContext, eipsConfigMap, eipsKey, eipsEvery } = nodeLeaves;
  const all = [eipsKubeconfig, eipsContext, eipsConfigMap, eipsKey, eipsEvery];
  if (all.every(({ key }) => layers.origin(key).kind === 'default')) return undefined;
  if (layers.origin(eipsConfigMap.key).kind === 'default') missing(`${eipsConfigMap.doc} (NAMESPACE/NAME)`);
  const object = optional(eipsConfigMap);
  const rest = {
    kubeconfig: path(eipsKubeconfig),
    context: optional(eipsContext),
    key: preset(eipsKey),
    every: preset(eipsEvery),
  };
  return object && { ...object, ...rest };
}
