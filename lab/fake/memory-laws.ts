import { KernelError } from '../../src/kernel/kernel.ts';
import {
  bits,
  contains,
  type Family,
  family,
  type Ip,
  ipFromNumber,
  ipNumber,
  networkOf,
  prefixIp,
  prefixLength,
} from '../../src/model/ip.ts';
import { natTableName } from '../../src/model/nat.ts';
import {
  type KernelObject,
  keyOf,
  type Link,
  type NatEip,
  type NatGroup,
  type Nexthop,
  type NexthopGroup,
  type NftTable,
  natGroupKey,
  nftKey,
  type ProxyNeighbour,
  type Route,
  type Rule,
  type Sysctl,
} from '../../src/model/object.ts';

/** What the laws look at. */
export interface State {
  readonly objects: ReadonlyMap<string, KernelObject>;
  readonly links: ReadonlyMap<number, Link>;
  readonly sysctls: ReadonlyMap<string, string>;
  /** Routes that lead out of a link themselves, without a gateway: what a gateway may lie behind. */
  readonly onLink: Iterable<Route>;
  /** The routes and groups that name a nexthop or a group by its id. */
  users(id: number): readonly KernelObject[];
}

/**
 * Throws what Linux answers to this object: the codes and words were seen on 6.18, each by a message of the same
 * content. The order matters where two things are wrong: the content is judged before the key.
 *
 * @throws KernelError
 */
export function judge(verb: 'add' | 'replace', want: KernelObject, state: State): void {
  switch (want.kind) {
    case 'nexthop':
      judgeNexthop(want, state);
      break;
    case 'group':
      judgeGroup(want, state);
      break;
    case 'route':
      judgeRoute(want, state);
      break;
    case 'neighbour':
      judgeProxyNeighbour(want, state);
      break;
    case 'rule':
      judgeRule(verb, want);
      break;
    case 'nft':
      judgeNft(want);
      break;
    case 'nat-group':
    case 'nat-eip':
      judgeNat(verb, want, state);
      break;
    case 'sysctl':
      judgeSysctl(want, state);
      return;
    default:
      want satisfies never;
  }
  const there = state.objects.get(keyOf(want));
  if (there !== undefined && verb === 'add') throw new KernelError('EEXIST', '');
  if (there !== undefined && verb === 'replace') judgeReplace(want, there, state);
}

function judgeNexthop({ via, link: index }: Nexthop, state: State): void {
  const link = state.links.get(index);
  if (link === undefined) throw new KernelError('EINVAL', 'Invalid device index');
  if (!link.up) throw new KernelError('ENETDOWN', 'Nexthop device is not up.');
  if (!link.carrier) throw new KernelError('ENETDOWN', 'Carrier for nexthop device is down.');
  judgeGateway(via, index, state);
}

function judgeGroup({ members, resilience }: NexthopGroup, state: State): void {
  if (members.length === 0) throw new KernelError('EINVAL', 'Invalid length for nexthop group attribute');
  const seen = new Set<number>();
  for (const { id, weight } of members) {
    if (!Number.isInteger(weight) || weight < 1 || weight > 256) {
      throw new KernelError('EINVAL', 'Invalid value for weight');
    }
    if (seen.has(id)) throw new KernelError('EINVAL', 'Nexthop id can not be used twice in a group');
    seen.add(id);
  }
  for (const { id } of members) {
    const member = state.objects.get(`nexthop ${id}`);
    if (member === undefined) throw new KernelError('EINVAL', 'Invalid nexthop id');
    if (member.kind === 'group') {
      const type = member.resilience === undefined ? 'Hash-threshold' : 'Resilient';
      throw new KernelError('EINVAL', `${type} group can not be a nexthop within a group`);
    }
  }
  if (resilience?.buckets === 0) throw new KernelError('EINVAL', 'Number of buckets needs to be non-0');
}

function judgeReplace(want: KernelObject, there: KernelObject, state: State): void {
  if (want.kind === 'nexthop') {
    if (there.kind === 'group') {
      throw new KernelError('EINVAL', 'Can not replace a nexthop group with a nexthop.');
    }
    if (family(want.via) === 4 && carriesIpv6(want.id, state)) throw ipv4Nexthop();
  }
  if (want.kind === 'group') {
    if (there.kind !== 'group') {
      throw new KernelError('EINVAL', 'Can not replace a nexthop with a nexthop group.');
    }
    if ((want.resilience === undefined) !== (there.resilience === undefined)) {
      throw new KernelError('EINVAL', 'Can not replace a nexthop group with one of a different type.');
    }
    if (want.resilience?.buckets !== there.resilience?.buckets) {
      throw new KernelError('EINVAL', 'Can not change number of buckets of a resilient nexthop group.');
    }
    if (leadsToIpv4(want, state) && carriesIpv6(want.id, state)) throw ipv4Nexthop();
  }
}

function carriesIpv6(id: number, state: State): boolean {
  return state
    .users(id)
    .some((user) =>
      user.kind === 'route' ? family(user.dst) === 6 : user.kind === 'group' && carriesIpv6(user.id, state),
    );
}

function leadsToIpv4(target: KernelObject, state: State): boolean {
  if (target.kind === 'nexthop') return family(target.via) === 4;
  if (target.kind !== 'group') return false;
  return target.members.some(({ id }) => {
    const member = state.objects.get(`nexthop ${id}`);
    return member !== undefined && leadsToIpv4(member, state);
  });
}

function ipv4Nexthop(): KernelError {
  return new KernelError('EINVAL', 'IPv6 routes can not use an IPv4 nexthop');
}

function judgeRoute(route: Route, state: State): void {
  const of = family(route.dst);
  const network = networkOf(prefixIp(route.dst), prefixLength(route.dst));
  if (of === 4 && network !== route.dst) {
    throw new KernelError('EINVAL', 'Invalid prefix for given prefix length');
  }
  if (route.nhid !== undefined) {
    if (route.hops.length > 0) {
      throw new KernelError('EINVAL', 'Nexthop specification and nexthop id are mutually exclusive');
    }
    const target = state.objects.get(`nexthop ${route.nhid}`);
    if (target === undefined) throw new KernelError('EINVAL', 'Nexthop id does not exist');
    // An IPv4 route may well lead through IPv6 nexthops (RFC 5549), so only this direction is refused.
    if (of === 6 && leadsToIpv4(target, state)) throw ipv4Nexthop();
  } else if (route.type === 'unicast' || route.type === 'local') {
    if (route.hops.length === 0) throw new KernelError('ENODEV', '');
    for (const hop of route.hops) judgeHop(hop.via, hop.link, of, state);
  }
  if (route.src !== undefined && !isLocal(route.src, state)) {
    throw new KernelError('EINVAL', of === 4 ? 'Invalid prefsrc address' : 'Invalid source address');
  }
}

function judgeHop(via: Ip | undefined, index: number | undefined, of: Family, state: State): void {
  const link = index === undefined ? undefined : state.links.get(index);
  if (via === undefined) {
    if (link === undefined) throw new KernelError('ENODEV', '');
    if (!link.up) {
      throw new KernelError('ENETDOWN', `${of === 4 ? 'Device for nexthop' : 'Nexthop device'} is not up`);
    }
    return;
  }
  if (of === 6 && index !== undefined && link === undefined) throw new KernelError('ENODEV', '');
  judgeGateway(via, index, state);
}

function judgeGateway(via: Ip, index: number | undefined, state: State): void {
  if (family(via) === 4) {
    if (linkTo(via, index, state) === undefined) {
      throw new KernelError('ENETUNREACH', 'Nexthop has invalid gateway');
    }
    // A gateway that is our own address is taken, and its packets are lost; IPv6 refuses it.
    if (isBroadcast(via, state)) throw new KernelError('EINVAL', 'Nexthop has invalid gateway');
    return;
  }
  if (isLocal(via, state)) throw new KernelError('EINVAL', 'Gateway can not be a local address');
  if (via.startsWith('ff')) throw new KernelError('EINVAL', 'Invalid gateway address');
  if (linkTo(via, index, state) === undefined) throw new KernelError('EHOSTUNREACH', '');
}

/** The link a gateway is a neighbour on; with `index`, on that link only. */
export function linkTo(via: Ip, index: number | undefined, state: State): number | undefined {
  const linkLocal = /^fe[89ab]/.test(via);
  if (linkLocal && index !== undefined) return state.links.get(index)?.up ? index : undefined;
  for (const route of state.onLink) {
    const link = route.hops[0]?.link;
    if (route.type !== 'unicast' || link === undefined || !contains(route.dst, via)) continue;
    if ((index === undefined || link === index) && state.links.get(link)?.up) return link;
  }
  return undefined;
}

function isLocal(ip: Ip, state: State): boolean {
  return [...state.links.values()].some((link) => link.addresses.some((address) => address.ip === ip));
}

function isBroadcast(ip: Ip, state: State): boolean {
  return [...state.links.values()].some((link) =>
    link.addresses.some((address) => {
      if (family(address.ip) !== 4 || address.length > 30) return false;
      const network = networkOf(address.ip, address.length);
      const size = 1n << BigInt(bits(4) - address.length);
      return ipFromNumber(ipNumber(prefixIp(network)) + size - 1n, 4) === ip;
    }),
  );
}

function judgeProxyNeighbour(want: ProxyNeighbour, state: State): void {
  if (!state.links.has(want.link)) throw new KernelError('ENODEV', '');
}

function judgeRule(verb: 'add' | 'replace', want: Rule): void {
  for (const side of [want.from, want.to]) {
    if (side !== undefined && family(side) !== want.family)
      throw new KernelError('EINVAL', 'Invalid dst address');
  }
  // NLM_F_REPLACE means nothing to Linux here: it would add a second rule.
  if (verb === 'replace')
    throw new KernelError('EOPNOTSUPP', 'a rule has no replace: add the new, delete the old');
}

/** Of nft's grammar only this: a brace that is open stays open to the end of the file. */
function judgeNft({ content }: NftTable): void {
  const open = content.split('{').length;
  if (open !== content.split('}').length)
    throw new KernelError('EINVAL', 'syntax error, unexpected end of file');
}

/** What is in no table, or leads to no chain, is refused; so is the replace of what is not there. */
function judgeNat(verb: 'add' | 'replace', want: NatGroup | NatEip, state: State): void {
  const frame = state.objects.get(nftKey(natTableName(want.protocol)));
  const isNew = verb === 'replace' && !state.objects.has(keyOf(want));
  const leadsAstray =
    want.kind === 'nat-eip' && want.ports.some(({ group }) => !state.objects.has(natGroupKey(group)));
  if (frame === undefined || isNew || leadsAstray) throw new KernelError('ENOENT', '');
}

/** A chain stays while a port leads to it. */
export function judgeDelete(have: KernelObject, state: State): void {
  if (have.kind !== 'nat-group') return;
  const isUsed = [...state.objects.values()].some(
    (one) => one.kind === 'nat-eip' && one.ports.some(({ group }) => group === have.id),
  );
  if (isUsed) throw new KernelError('EBUSY', '');
}

function judgeSysctl({ name, value }: Sysctl, state: State): void {
  if (!state.sysctls.has(name)) throw new KernelError('ENOENT', '');
  if (!/^-?\d+$/.test(value)) throw new KernelError('EINVAL', '');
}
