import { routeKey } from '../desire/eip-routes.ts';
import type { Path } from '../desire/path.ts';
import type { DesiredTable, KernelState } from '../model/desired.ts';
import { family, type Ip } from '../model/ip.ts';
import { changeObject } from '../model/object.ts';
import type { LateCarrier, LateCarriers, Standing } from '../model/probed.ts';
import { equal } from '../model/same-object.ts';
import { type LastReport, undone } from '../reconcile/report.ts';
import { eipOf } from './need.ts';
import { iso } from './state.ts';

/**
 * How one EIP is:
 *
 * - routed: the kernel has its route as it should be
 * - outdated: the kernel has a route, and a change of it waits or was refused
 * - conflict: a route of another program has its place
 * - missing: it should be routed, and the kernel has no route
 * - shadowed: the kernel has its route, and takes another one or refuses its packets
 * - idle: no node can serve it
 */
export type EipState = 'routed' | 'outdated' | 'conflict' | 'missing' | 'shadowed' | 'idle';

/** What `eiproute status --eips --json` prints of one EIP. */
export interface EipStatus {
  readonly eip: Ip;
  readonly state: EipState;
  readonly services: readonly string[];
  /**
   * The nodes that it goes to, or should go to, with those that do not answer or drain marked; after them those that it
   * went to until lately.
   */
  readonly nodes: readonly EipNode[];
}

export interface EipNode {
  readonly name: string;
  /** It does not answer ARP or NDP. */
  readonly silent: boolean;
  /** What keeps traffic from it, where another node can serve the EIP; undefined: nothing does. */
  readonly standing: Standing | LateCarrier['standing'] | undefined;
  /** ISO 8601: when a node that is leaving or covered ceases to be so, at the latest; absent: it is neither. */
  readonly until?: string;
}

export interface EipInputs {
  readonly paths: Iterable<Path>;
  readonly table: number;
  /** undefined: before the first round */
  readonly actual: Pick<KernelState, 'objects'> | undefined;
  readonly desired: Pick<DesiredTable, 'get'> | undefined;
  readonly report: LastReport | undefined;
  readonly silent: ReadonlySet<Ip>;
  readonly standings: ReadonlyMap<Ip, Standing>;
  readonly lately: LateCarriers;
  readonly isShadowed: (eip: Ip) => boolean;
}

/** Every EIP with its state, in no order: a hundred thousand of them are sorted by who asked. */
export function* eipStatuses(inputs: EipInputs): Generator<EipStatus> {
  const { paths, table, actual, desired, report, silent, standings, lately, isShadowed } = inputs;
  const conflicts = new Set((report?.conflicts ?? []).map(({ want }) => eipOf(want)));
  const changing = new Set((report ? undone(report) : []).map((change) => eipOf(changeObject(change))));
  const stateOf = ({ eip, carriers }: Path): EipState => {
    if (carriers.length === 0) return 'idle';
    if (conflicts.has(eip)) return 'conflict';
    const key = routeKey(eip, table);
    const have = actual?.objects.get(key);
    if (have === undefined) return 'missing';
    if (isShadowed(eip)) return 'shadowed';
    const want = desired?.get(key)?.object;
    return want !== undefined && equal(want, have) && !changing.has(eip) ? 'routed' : 'outdated';
  };
  const lateNode = ([name, { ip, standing, until }]: readonly [string, LateCarrier]): EipNode => ({
    name,
    silent: ip !== undefined && silent.has(ip),
    standing,
    until: iso(until),
  });
  for (const path of paths) {
    const nodes = path.carriers.map(
      ({ node, ip }): EipNode => ({
        name: node,
        silent: silent.has(ip),
        standing: standings.get(ip),
      }),
    );
    const late = lateCarriers(path, lately);
    yield {
      eip: path.eip,
      state: stateOf(path),
      services: path.services,
      nodes: late.size === 0 ? nodes : [...nodes, ...[...late].map(lateNode)],
    };
  }
}

/**
 * The nodes that an EIP went to until lately, and goes to no more. Those that the others cover for are among them only
 * where the parts of these differ: else it is as if they had never been there.
 */
export function lateCarriers(
  { eip, services, carriers }: Path,
  lately: LateCarriers,
): ReadonlyMap<string, LateCarrier> {
  const [first] = carriers;
  if (first === undefined) return noLateCarriers;
  const of = family(eip);
  const late = services.map((service) => lately(service, of)).filter(({ size }) => size > 0);
  // As nearly always: a page asks this of every EIP.
  if (late.length === 0) return noLateCarriers;
  const found = new Map(late.flatMap((one) => [...one]));
  for (const { node } of carriers) found.delete(node);
  if (carriers.every(({ weight }) => weight === first.weight))
    for (const [node, { standing }] of found) if (standing === 'covered') found.delete(node);
  return found;
}

const noLateCarriers: ReadonlyMap<string, LateCarrier> = new Map();

/** Whether an EIP is asked for: by its address, by one of its Services, or by one of its nodes. */
export function isAsked({ eip, services, nodes }: EipStatus, filter: string): boolean {
  return (
    eip === filter ||
    services.some((service) => service === filter || service.endsWith(`/${filter}`)) ||
    nodes.some(({ name }) => name === filter)
  );
}
