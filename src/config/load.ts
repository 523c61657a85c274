import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { contains, family, hostPrefix, type Ip } from '../model/ip.ts';
import { type Complaint, compareComplaints, type Origin, rank } from './complaint.ts';
import type { GatewayConfig, Source } from './config.ts';
import { parseDocument } from './document.ts';
import { durationText } from './format.ts';
import { type Environment, type Flag, type Layers, mergeLayers } from './layers.ts';
import { notation } from './notation.ts';
import { type Complain, readPools, specialUse } from './pools.ts';
import { type Leaf, leaves } from './schema.ts';
import { type FileLayer, fileLayer, placeText } from './shape.ts';

export interface LoadRequest {
  /** As the person named it: messages show it so. */
  readonly file: string;
  readonly env: Environment;
  readonly flags: readonly Flag[];
  /** Where relative paths in the environment and in flags start; those in the file start at its folder. */
  readonly cwd: string;
}

export type LoadResult =
  | {
      readonly kind: 'loaded';
      readonly config: GatewayConfig;
      /** Where each key's value came from, by dotted key; keys without a value are not in it. */
      readonly origins: ReadonlyMap<string, Origin>;
      readonly warnings: readonly Complaint[];
    }
  /** Everything that is wrong, in the order of the file; not empty. */
  | { readonly kind: 'refused'; readonly errors: readonly Complaint[] };

/** Reads and checks the configuration. Looks at nothing of the machine but this one file. */
export function loadGatewayConfig(request: LoadRequest): LoadResult {
  const { file } = request;
  let bytes: Buffer;
  try {
    bytes = readFileSync(resolve(request.cwd, file));
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    const what = `cannot be read: ${readWords(String(error.code))} (${error.code})`;
    return { kind: 'refused', errors: [{ origin: { kind: 'file', file, at: undefined }, key: '', what }] };
  }
  return readGatewayConfig(bytes, request);
}

/** The same for a file's bytes at hand. */
export function readGatewayConfig(bytes: Uint8Array, { file, env, flags, cwd }: LoadRequest): LoadResult {
  const refused = (errors: readonly Complaint[]): LoadResult => ({ kind: 'refused', errors });
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    // TextDecoder says no more than that.
    return refused([{ origin: { kind: 'file', file, at: undefined }, key: '', what: 'is not UTF-8 text' }]);
  }
  const parsed = parseDocument(text);
  const layer = fileLayer(file, parsed);
  // Nothing can be said of the keys of a file that is no YAML.
  if (parsed.root.size === 0 && layer.complaints.length > 0) return refused(layer.complaints);
  const layers = mergeLayers(layer, env, flags);
  const errors: Complaint[] = [...layer.complaints];
  const warnings: Complaint[] = [...layers.warnings];
  const config = assemble(layer, layers, { folder: dirname(resolve(cwd, file)), cwd }, errors, warnings);
  if (errors.length > 0) return refused(errors.sort(compareComplaints));
  return {
    kind: 'loaded',
    config,
    origins: originsOf(config, layers),
    warnings: warnings.sort(compareComplaints),
  };
}

interface Bases {
  readonly folder: string;
  readonly cwd: string;
}

/** Reads every value; after a complaint the result is of no use. */
function assemble(
  layer: FileLayer,
  layers: Layers,
  bases: Bases,
  errors: Complaint[],
  warnings: Complaint[],
): GatewayConfig {
  const complain: Complain = (key, what, at = 'value') => {
    const origin = layers.origin(key);
    errors.push({ origin: origin.kind === 'default' ? layer.origin(key, at) : origin, key, what });
  };

  function optional<T>(leaf: Leaf<T>): T | undefined {
    const raw = layers.raw(leaf.key);
    if (raw === null || raw === undefined) return undefined;
    const { kind } = layers.origin(leaf.key);
    try {
      return kind === 'file' ? leaf.format.fromYaml(raw) : leaf.format.fromText(String(raw));
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      complain(leaf.key, error.message);
      return undefined;
    }
  }

  function preset<T>(leaf: Leaf<T>): T {
    return optional(leaf) ?? leaf.format.fromText(leaf.preset ?? '');
  }

  function required<T>(leaf: Leaf<T>): T | undefined {
    const said = layers.origin(leaf.key).kind !== 'default';
    if (!said && !errors.some(({ key }) => key === leaf.key)) complain(leaf.key, `is missing: ${leaf.doc}`);
    return optional(leaf);
  }

  function path(leaf: Leaf<string>): string | undefined {
    const written = optional(leaf);
    if (written === undefined) return undefined;
    const origin = layers.origin(leaf.key);
    const systemd = origin.kind === 'environment' && origin.variable !== leaf.variable;
    // systemd gives all folders of StateDirectory=, with colons; the first is the one that is named first.
    const first = systemd ? written.replace(/:.*/, '') : written;
    return resolve(origin.kind === 'file' ? bases.folder : bases.cwd, first);
  }

  const pools = layers.origin('pools').kind === 'file' ? readPools(layers.raw('pools'), complain) : [];
  if (!layer.values.has('pools') && !errors.some(({ key }) => key === 'pools')) {
    complain('pools', 'is missing: the addresses that may be routed');
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
  checkDefaultRoutes(defaultRoutes, (what) => complain(leaves.defaultRoute.key, what));
  for (const via of defaultRoutes) {
    const pool = pools.find(({ addresses }) => addresses.some((network) => contains(network, via)));
    if (pool) complain(leaves.defaultRoute.key, `${via} is inside pool "${pool.name}"; a router is no EIP`);
  }

  const source = readSource(layers, optional(leaves.context), path, complain);
  if (allocate && source.kind === 'file') {
    complain(leaves.allocate.key, 'needs an API to write to; the cluster is read from a file');
  }
  const nodePool = pools.findIndex(({ terms }) => terms?.nodeAddresses);
  if (nodePool >= 0 && !allocate) {
    complain(`pools[${nodePool}].nodeAddresses`, 'does nothing without allocate: true');
  }
  const retryFirst = preset(leaves.retryFirst);
  const retryLongest = preset(leaves.retryLongest);
  if (retryLongest < retryFirst) {
    // Blame the one that somebody set.
    const first = rank(layers.origin(leaves.retryFirst.key)) > rank(layers.origin(leaves.retryLongest.key));
    if (first)
      complain(leaves.retryFirst.key, `is longer than pace.retryLongest (${durationText(retryLongest)})`);
    else complain(leaves.retryLongest.key, `is shorter than pace.retryFirst (${durationText(retryFirst)})`);
  }
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
      protocol: preset(leaves.protocol),
      table: preset(leaves.table),
      weighByEndpoints: preset(leaves.weightByEndpoints),
      resilience: resilient ? resilience : undefined,
      hash: preset(leaves.hashPolicy),
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
    pace: { settle: preset(leaves.settle), resync: preset(leaves.resync), retryFirst, retryLongest },
    limits: { share: preset(leaves.share), always: preset(leaves.always), hold: preset(leaves.hold) },
    logLevel: preset(leaves.logLevel),
    logFormat: preset(leaves.logFormat),
  };
}

function checkDefaultRoutes(routers: readonly Ip[], complain: (what: string) => void): void {
  routers.forEach((via, i) => {
    const use = specialUse(hostPrefix(via));
    // An IPv6 router is often known by its link-local address only.
    const linkLocal = use === 'link-local' && family(via) === 6;
    if (use !== undefined && !linkLocal) complain(`${via} cannot be a router (${use})`);
    const other = routers.find((one, j) => j < i && family(one) === family(via));
    if (other) complain(`${other} and ${via} are both IPv${family(via)}; there is one router per family`);
  });
}

/** A file given in a higher layer takes the kubeconfig's place; both in one layer is a contradiction. */
function readSource(
  layers: Layers,
  context: string | undefined,
  path: (leaf: Leaf<string>) => string | undefined,
  complain: Complain,
): Source {
  const file = path(leaves.sourceFile);
  const kubeconfig = path(leaves.kubeconfig);
  const place = layers.origin(leaves.sourceFile.key);
  const level = (key: string): number => rank(layers.origin(key));
  const kubernetes: Source = { kind: 'kubernetes', kubeconfig, context };
  if (file === undefined) return kubernetes;
  for (const { key } of [leaves.kubeconfig, leaves.context]) {
    if (level(key) === rank(place)) {
      complain(key, `is given together with source.file (${placeText(place)}); the cluster has one source`);
    }
  }
  return kubeconfig !== undefined && level(leaves.kubeconfig.key) > rank(place)
    ? kubernetes
    : { kind: 'file', path: file };
}

function originsOf(config: GatewayConfig, layers: Layers): ReadonlyMap<string, Origin> {
  return new Map(notation(config).map(([key]) => [key, layers.origin(key)]));
}

function readWords(code: string): string {
  switch (code) {
    case 'ENOENT':
      return 'there is no such file';
    case 'EACCES':
    case 'EPERM':
      return 'this user may not read it';
    case 'EISDIR':
      return 'it is a folder';
    default:
      return 'the system refused';
  }
}
