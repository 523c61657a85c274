import type { Gateway } from '../model/gateway.ts';
import { family, hostPrefix, type Ip } from '../model/ip.ts';
import type { Listing } from '../model/listing.ts';
import { type KernelObject, type Key, keyOf, type Link, type Member, type Route } from '../model/object.ts';
import type { Owner } from '../model/owner.ts';
import type { Problem } from '../model/problem.ts';
import type { Refusals, Wanted, Why } from '../model/want.ts';
import type { Carrier } from './carriers.ts';
import { groups, signature } from './groups.ts';
import { type Nexthops, nexthops } from './nexthops.ts';
import type { Path } from './path.ts';
import type { Add } from './plain-routes.ts';
import type { Reserved } from './reserved.ts';

/** A set of members and the paths that use it. */
interface Bundle {
  readonly members: readonly Member[];
  readonly paths: (readonly Path[])[];
  /** Keys of their routes. */
  users(): readonly Key[];
}

/**
 * One route per EIP over one group per distinct set of nodes over one nexthop per node.
 *
 * @param lan undefined while the interface is missing or dead: what is left of ours is kept as it is
 */
export function eipRoutes(
  all: readonly Path[],
  gateway: Gateway,
  owner: Owner,
  lan: Link | undefined,
  taken: Reserved,
  have: Listing,
  refused: Refusals,
  want: Wanted[],
): readonly Problem[] {
  const add: Add = (object, why) => want.push({ key: keyOf(object), object, why });
  if (lan === undefined) {
    for (const object of have.objects.values()) {
      const ours =
        object.kind === 'route'
          ? object.nhid !== undefined
          : object.kind === 'nexthop' || object.kind === 'group';
      if (ours) add(object, { text: `kept while interface ${gateway.lan} is not there` });
    }
    return [];
  }

  const problems: Problem[] = [];
  const sets = carrierSets(all, taken, problems);
  const hops = nexthops(sets.keys(), { name: gateway.lan, index: lan.index }, owner, have, refused);
  problems.push(...hops.problems);

  const { bundles, lost } = bundle(sets, gateway.table, hops);
  for (const { nexthop, node } of hops.byIp.values()) want.push(wantedObject(nexthop, `node ${node}`, node));
  const kept = lost.flatMap((path) => standingRoute(path, gateway.table, owner, have)?.nhid ?? []);
  const chosen = groups(bundles, gateway.resilience, owner, have, refused, new Set(kept));
  for (const [i, { paths }] of bundles.entries()) {
    const group = chosen[i];
    if (group === undefined) continue;
    want.push(wantedObject(group, groupWhy(paths)));
    for (const list of paths) {
      for (const path of list) want.push(wantedRoute(path, gateway.table, owner, group.id));
    }
  }
  if (lost.length > 0) {
    const known = new Set(want.map(({ key }) => key));
    const addNew: Add = (object, why) => {
      if (!known.has(keyOf(object))) add(object, why);
      known.add(keyOf(object));
    };
    for (const path of lost) keep(path, gateway.table, owner, have, addNew);
  }
  return problems;
}

/** The paths by their list of carriers, which under Cluster is one and the same for all. */
function carrierSets(
  all: readonly Path[],
  taken: Reserved,
  problems: Problem[],
): ReadonlyMap<readonly Carrier[], readonly Path[]> {
  const sets = new Map<readonly Carrier[], Path[]>();
  let last: readonly Carrier[] | undefined;
  let list: Path[] | undefined;
  for (const path of all) {
    const holder = taken.size === 0 ? undefined : taken.get(path.eip);
    if (holder !== undefined) {
      problems.push(eipTaken(path, holder));
      continue;
    }
    if (list === undefined || path.carriers !== last) {
      last = path.carriers;
      list = sets.get(last);
      if (list === undefined) {
        list = [];
        sets.set(last, list);
      }
    }
    list.push(path);
  }
  return sets;
}

/** Sets of nodes that come to the same group; `lost` are the paths none of whose nodes the kernel would take. */
function bundle(
  sets: ReadonlyMap<readonly Carrier[], readonly Path[]>,
  table: number,
  hops: Nexthops,
): { readonly bundles: readonly Bundle[]; readonly lost: readonly Path[] } {
  const byContent = new Map<string, Bundle>();
  const lost: Path[] = [];
  for (const [carriers, paths] of sets) {
    const members = membersOf(carriers, hops);
    if (members.length === 0) {
      lost.push(...paths);
      continue;
    }
    const content = signature(members);
    const found = byContent.get(content);
    if (found) found.paths.push(paths);
    else byContent.set(content, newBundle(members, table, paths));
  }
  return { bundles: [...byContent.values()], lost };
}

function newBundle(members: readonly Member[], table: number, first: readonly Path[]): Bundle {
  const paths = [first];
  return { members, paths, users: () => paths.flat().map(({ eip }) => routeKey(eip, table)) };
}

/** What a list of carriers came to, and the ids that its nodes had then, undefined for one that is left out. */
interface Membership {
  readonly ids: readonly (number | undefined)[];
  readonly members: readonly Member[];
}

const memberships = new WeakMap<readonly Carrier[], Membership>();

/** The very same list as the last time while the nodes keep their ids. */
function membersOf(carriers: readonly Carrier[], hops: Nexthops): readonly Member[] {
  const known = memberships.get(carriers);
  if (known !== undefined && carriers.every(({ ip }, i) => idOf(ip, hops) === known.ids[i]))
    return known.members;
  const ids = carriers.map(({ ip }) => idOf(ip, hops));
  const members: Member[] = [];
  for (const [i, { weight }] of carriers.entries()) {
    const id = ids[i];
    if (id !== undefined) members.push({ id, weight });
  }
  members.sort((a, b) => a.id - b.id);
  memberships.set(carriers, { ids, members });
  return members;
}

function idOf(ip: Ip, hops: Nexthops): number | undefined {
  return hops.byIp.get(ip)?.nexthop.id;
}

/** What is there for an EIP stays as it is, down to the last nexthop. */
function keep(path: Path, table: number, owner: Owner, have: Listing, add: Add): void {
  const route = standingRoute(path, table, owner, have);
  if (route === undefined) return;
  const group = have.objects.get(`nexthop ${route.nhid}`);
  const text = 'kept: the kernel refuses the nodes that it should move to';
  add(route, { ...why(path), text });
  if (group === undefined) return;
  add(group, { text });
  for (const { id } of group.kind === 'group' ? group.members : []) {
    const nexthop = have.objects.get(`nexthop ${id}`);
    if (nexthop) add(nexthop, { text });
  }
}

/** The route to nodes that the EIP of a path has now. */
function standingRoute({ eip }: Path, table: number, owner: Owner, have: Listing): Route | undefined {
  const route = have.objects.get(routeKey(eip, table));
  const ours = route?.kind === 'route' && route.nhid !== undefined && route.protocol === owner.protocol;
  return ours ? route : undefined;
}

const objects = new WeakMap<KernelObject, Wanted>();

/** The very same as the last time while it is the same object for the same reason. */
function wantedObject(object: KernelObject, text: string, node?: string): Wanted {
  const known = objects.get(object);
  if (known?.why.text === text) return known;
  const wanted = { key: keyOf(object), object, why: node === undefined ? { text } : { text, node } };
  objects.set(object, wanted);
  return wanted;
}

/** The last route of each path: as long as nothing about it changes, not even its key is spelled out again. */
const memory = new WeakMap<Path, { readonly route: Route; readonly wanted: Wanted }>();

function wantedRoute(path: Path, table: number, owner: Owner, group: number): Wanted {
  const known = memory.get(path);
  if (known?.route.nhid === group && known.route.table === table && known.route.protocol === owner.protocol) {
    return known.wanted;
  }
  const route: Route = {
    kind: 'route',
    table,
    dst: hostPrefix(path.eip),
    metric: eipMetric(path.eip),
    protocol: owner.protocol,
    type: 'unicast',
    nhid: group,
    hops: [],
    src: undefined,
  };
  const wanted = { key: keyOf(route), object: route, why: why(path) };
  memory.set(path, { route, wanted });
  return wanted;
}

/** What `ip route add` takes when it is not told: Linux has no metric 0 for IPv6. */
function eipMetric(eip: Ip): number {
  return family(eip) === 4 ? 0 : 1024;
}

export function routeKey(eip: Ip, table: number): string {
  return `route ${table} ${hostPrefix(eip)} ${eipMetric(eip)}`;
}

function why(path: Path): Why {
  return { text: `Service ${path.services.join(', ')}`, eip: path.eip, services: path.services };
}

function groupWhy(lists: readonly (readonly Path[])[]): string {
  const count = lists.reduce((sum, list) => sum + list.length, 0);
  return count === 1 ? `EIP ${lists[0]?.[0]?.eip}` : `${count} EIPs`;
}

function eipTaken(path: Path, holder: string): Problem {
  return {
    code: 'eip-reserved',
    severity: 'error',
    subject: path.eip,
    message: `${path.eip}, asked for by Service ${path.services.join(', ')}, is the address of ${holder}; it gets no route`,
    advice: 'take the address out of the pool and give the Service another one',
    eip: path.eip,
  };
}
