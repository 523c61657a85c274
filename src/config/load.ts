import { contains, family, type Ip } from '../model/ip.ts';
import { noGateway } from '../model/special-use.ts';
import { readAnnounce } from './announce.ts';
import { readClusters } from './clusters.ts';
import type { GatewayConfig, NamedAccess, Source } from './config.ts';
import { rank } from './config-problem.ts';
import { type LoadRequest, type LoadResult, loadFile, readConfig } from './file.ts';
import type { Layers } from './layers.ts';
import { readNat } from './nat.ts';
import { warnOfOpenListener } from './open-listener.ts';
import { type ReportProblem, readPools } from './pools.ts';
import { readings, readPace, type Written } from './readings.ts';
import { gatewaySchema, type Leaf, leaves } from './schema.ts';
import { placeText } from './shape.ts';

/** Reads and checks the configuration. Reads nothing of the machine but this file. */
export function loadGatewayConfig(request: LoadRequest): LoadResult<GatewayConfig> {
  return loadFile(request, readGatewayConfig);
}

/** The same for the bytes of a file. */
export function readGatewayConfig(bytes: Uint8Array, request: LoadRequest): LoadResult<GatewayConfig> {
  return readConfig(bytes, request, gatewaySchema, assemble);
}

/** Reads every value. The result is valid only without errors. */
function assemble(written: Written): GatewayConfig {
  const { layer, layers, bases, errors, warnings } = written;
  const reading = readings(written);
  const { report, optional, preset, required, path } = reading;
  const pools = layers.origin('pools').kind === 'file' ? readPools(layers.raw('pools'), report) : [];
  if (!layer.values.has('pools') && !errors.some(({ key }) => key === 'pools')) {
    report('pools', 'is missing: the addresses that may be routed');
  }
  const allocation = {
    class: preset(leaves.allocateClass),
    classless: preset(leaves.classless),
    finalizer: preset(leaves.finalizer),
    lease: preset(leaves.lease) || undefined,
  };
  const allocate = preset(leaves.allocate);
  const lan = required(leaves.lan) ?? '';
  const uplink = required(leaves.uplink) ?? '';
  if (lan !== '' && lan === uplink) {
    warnings.push({
      origin: layers.origin(leaves.uplink.key),
      key: leaves.uplink.key,
      what: `is the same interface as lan (${lan}): it works, but replies may reach clients past this gateway`,
    });
  }

  const defaultRoutes = optional(leaves.defaultRoute) ?? [];
  checkDefaultRoutes(defaultRoutes, (what) => report(leaves.defaultRoute.key, what));
  for (const via of defaultRoutes) {
    const pool = pools.find(({ addresses }) => addresses.some((network) => contains(network, via)));
    if (pool) report(leaves.defaultRoute.key, `${via} is inside pool "${pool.name}"; a router is no EIP`);
  }

  const clusters =
    layers.origin('clusters').kind === 'file'
      ? readClusters(layers.raw('clusters'), bases.folder, report)
      : undefined;
  const source = readSource(layers, { context: optional(leaves.context), clusters }, path, report);
  if (allocate && source.kind === 'file') {
    report(leaves.allocate.key, 'needs an API to write to; the cluster is read from a file');
  }
  const nodePool = pools.findIndex(({ terms }) => terms?.nodeAddresses);
  if (nodePool >= 0 && !allocate) {
    report(`pools[${nodePool}].nodeAddresses`, 'does nothing without allocate: true');
  }
  const hashSeed = optional(leaves.hashSeed);
  const surroundings = { lan, uplink, pools, hashSeed, warnings };
  const announce = readAnnounce(layers, reading, surroundings);
  const metrics = optional(leaves.metricsListen);
  warnOfOpenListener(metrics, leaves.metricsListen, 'gateway', written);
  const publishLan = optional(leaves.publishLan) ?? [];
  checkOnePerFamily(publishLan, (what) => report(leaves.publishLan.key, what));
  for (const ip of publishLan) {
    const use = noGateway(ip);
    if (use !== undefined) report(leaves.publishLan.key, `${ip} cannot be a gateway (${use})`);
  }
  const configMap = preset(leaves.publish);
  const publish = { name: optional(leaves.publishName), lan: publishLan };
  const pace = readPace(layers, preset, report);
  const resilient = preset(leaves.resilient);
  const resilience = {
    buckets: preset(leaves.buckets),
    idleTimer: preset(leaves.idleTimer) / 1000,
    unbalancedTimer: preset(leaves.unbalancedTimer) / 1000,
  };

  return {
    gateway: {
      lan,
      uplink,
      defaultRoutes: [...defaultRoutes].sort((a, b) => family(a) - family(b)),
      pools,
      ...(allocate ? { allocation } : {}),
      ...readNat(layers, reading, surroundings),
      protocol: preset(leaves.protocol),
      table: preset(leaves.table),
      ...(announce === undefined ? {} : { announce }),
      weighByEndpoints: preset(leaves.weightByEndpoints),
      resilience: resilient ? resilience : undefined,
      hash: preset(leaves.hashPolicy),
      segmentSize: preset(leaves.segmentSize) || undefined,
      ...(hashSeed === undefined ? {} : { hashSeed }),
      nexthopCompat: preset(leaves.nexthopCompatMode),
      neighbour: {
        reachableMs: preset(leaves.reachable),
        delaySeconds: preset(leaves.firstProbe) / 1000,
        retransMs: preset(leaves.retransmit),
      },
    },
    source,
    stateDirectory: path(leaves.stateDirectory) ?? '',
    runtimeDirectory: path(leaves.runtimeDirectory) ?? '',
    pace,
    limits: {
      share: preset(leaves.share),
      window: preset(leaves.window),
      always: preset(leaves.always),
      hold: preset(leaves.hold),
    },
    probe: {
      share: preset(leaves.probeShare),
      wait: preset(leaves.probeWait),
      proxyPort: preset(leaves.proxyPort),
      kubeletPort: preset(leaves.kubeletPort),
      drainLimit: preset(leaves.drainLimit),
      cordon: preset(leaves.drainCordon) ? 'drains' : 'ignored',
    },
    publish: configMap ? { configMap, ...publish } : undefined,
    metrics,
    logLevel: preset(leaves.logLevel),
    logFormat: preset(leaves.logFormat),
  };
}

function checkOnePerFamily(ips: readonly Ip[], report: (what: string) => void): void {
  ips.forEach((ip, i) => {
    const other = ips.find((one, j) => j < i && family(one) === family(ip));
    if (other) report(`${other} and ${ip} are both IPv${family(ip)}; there is one address per family`);
  });
}

function checkDefaultRoutes(routers: readonly Ip[], report: (what: string) => void): void {
  routers.forEach((via, i) => {
    const use = noGateway(via);
    if (use !== undefined) report(`${via} cannot be a router (${use})`);
    const other = routers.find((one, j) => j < i && family(one) === family(via));
    if (other) report(`${other} and ${via} are both IPv${family(via)}; there is one router per family`);
  });
}

/**
 * A source in a higher layer replaces one in a lower layer; two in one layer contradict each other.
 *
 * @param clusters undefined: none are named; the file alone can name them
 */
function readSource(
  layers: Layers,
  {
    context,
    clusters,
  }: { readonly context: string | undefined; readonly clusters: readonly NamedAccess[] | undefined },
  path: (leaf: Leaf<string>) => string | undefined,
  report: ReportProblem,
): Source {
  const file = path(leaves.sourceFile);
  const kubeconfig = path(leaves.kubeconfig);
  const place = layers.origin(leaves.sourceFile.key);
  const level = (key: string): number => rank(layers.origin(key));
  const kubernetes: Source = { kind: 'kubernetes', kubeconfig, context };
  if (clusters !== undefined) {
    const single = [leaves.kubeconfig, leaves.context, leaves.sourceFile].map(({ key }) => key);
    for (const key of single)
      if (level(key) === level('clusters'))
        report(
          key,
          `is given together with clusters (${placeText(layers.origin('clusters'))}); name each cluster there`,
        );
    if (!single.some((key) => level(key) > level('clusters'))) return { kind: 'clusters', clusters };
  }
  if (file === undefined) return kubernetes;
  for (const { key } of [leaves.kubeconfig, leaves.context]) {
    if (level(key) === rank(place)) {
      report(key, `is given together with source.file (${placeText(place)}); the cluster has one source`);
    }
  }
  return kubeconfig !== undefined && level(leaves.kubeconfig.key) > rank(place)
    ? kubernetes
    : { kind: 'file', path: file };
}
