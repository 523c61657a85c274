import { family, onlyIp, type Prefix } from './ip.ts';
import { bucketShares, contentCommands, isNatTable, natScript } from './nat.ts';
import { nftScript, sealCommand } from './nft.ts';
import {
  type Change,
  familyOf,
  type KernelObject,
  type Member,
  type NatPort,
  type Route,
  type Rule,
} from './object.ts';
import { shellWord } from './text.ts';

/** ifindex -> interface name */
export type LinkNames = (index: number) => string;

/**
 * The change as a shell command with the same effect.
 *
 * @param former the value a sysctl goes back to when it is deleted
 */
export function command(change: Change, names: LinkNames, former?: string): string {
  const object = change.verb === 'delete' ? change.have : change.want;
  if (object.kind === 'sysctl') {
    const value = change.verb === 'delete' ? (former ?? '?') : object.value;
    return `sysctl -w ${shellWord(sysctlName(object.name))}=${sysctlWord(value)}`;
  }
  if (object.kind === 'nft') {
    const script =
      change.verb === 'replace' && isNatTable(object)
        ? `{ cat <<'EOF'\n${nftScript(change)}EOF\n${contentCommands(object.name)}\n} | nft -f -`
        : `nft -f - <<'EOF'\n${nftScript(change)}EOF`;
    return change.verb === 'delete' ? script : `${script}\n${sealCommand(object)}`;
  }
  if (object.kind === 'nat-group' || object.kind === 'nat-eip')
    return `nft -f - <<'EOF'\n${natScript([change])}EOF`;
  const dash = familyOf(object) === 6 ? 'ip -6' : 'ip';
  if (change.verb === 'delete' && (object.kind === 'nexthop' || object.kind === 'group')) {
    // Linux refuses a delete with attributes other than the id.
    return `ip nexthop delete id ${object.id}`;
  }
  return `${dash} ${noun(object)} ${change.verb} ${describe(object, (index) => shellWord(names(index)), shellWord)}`;
}

/** In double quotes, since a value may contain blanks. */
function sysctlWord(value: string): string {
  return /^[\w ?.:,/-]*$/.test(value) ? `"${value}"` : shellWord(value);
}

/**
 * The object in iproute2's words, without a verb: `198.51.100.10/32 nhid 260000000 proto 86`.
 *
 * @param word quotes names that other programs chose
 */
export function describe(
  object: KernelObject,
  names: LinkNames,
  word: (text: string) => string = String,
): string {
  switch (object.kind) {
    case 'nexthop':
      return `id ${object.id} via ${object.via} dev ${names(object.link)} proto ${object.protocol}`;
    case 'group': {
      const type = object.resilience
        ? ` type resilient buckets ${object.resilience.buckets} idle_timer ${object.resilience.idleTimer} unbalanced_timer ${object.resilience.unbalancedTimer}`
        : '';
      return `id ${object.id} group ${object.members.map(member).join('/')}${type} proto ${object.protocol}`;
    }
    case 'route':
      return describeRoute(object, names);
    case 'rule':
      return describeRule(object, word);
    case 'neighbour':
      return `proxy ${object.ip} dev ${names(object.link)} protocol ${object.protocol}`;
    case 'sysctl':
      return `${sysctlName(object.name)} = ${object.value}`;
    case 'nft':
      return `table ${object.family} ${object.name}`;
    case 'nat-group':
      return `group ${object.id} nodes ${bucketShares(object.buckets).join(', ')}`;
    case 'nat-eip':
      return `${object.eip} ${object.ports.map(portWords).join(', ')}`;
    default:
      return object satisfies never;
  }
}

/** sysctl(8) writes dots for slashes, and slashes for the dots of an interface name. */
export function sysctlName(path: string): string {
  return path.replace(/[./]/g, (sign) => (sign === '/' ? '.' : '/'));
}

function noun(object: KernelObject): string {
  switch (object.kind) {
    case 'nexthop':
    case 'group':
      return 'nexthop';
    case 'neighbour':
      return 'neigh';
    case 'route':
    case 'rule':
    case 'sysctl':
    case 'nft':
    case 'nat-group':
    case 'nat-eip':
      return object.kind;
    default:
      return object satisfies never;
  }
}

function member({ id, weight }: Member): string {
  return weight === 1 ? String(id) : `${id},${weight}`;
}

function portWords({ protocol, port, nodePort, group }: NatPort): string {
  return `${protocol} ${port} to group ${group} port ${nodePort}`;
}

function destination(dst: Prefix): string {
  return dst === '0.0.0.0/0' || dst === '::/0' ? 'default' : (onlyIp(dst) ?? dst);
}

function describeRoute(route: Route, names: LinkNames): string {
  const words: string[] = route.type === 'unicast' ? [] : [route.type];
  words.push(destination(route.dst));
  if (route.nhid !== undefined) words.push(`nhid ${route.nhid}`);
  const several = route.hops.length > 1;
  for (const { via, link, weight } of several ? [] : route.hops) {
    if (via !== undefined) words.push(viaWords(via, route.dst));
    if (link !== undefined) words.push(`dev ${names(link)}`);
    if (weight !== 1) words.push(`weight ${weight}`);
  }
  if (route.table !== 254) words.push(`table ${route.table}`);
  words.push(`proto ${route.protocol}`);
  if (route.metric !== 0) words.push(`metric ${route.metric}`);
  if (route.src !== undefined) words.push(`src ${route.src}`);
  for (const { via, link, weight } of several ? route.hops : []) {
    words.push('nexthop');
    if (via !== undefined) words.push(viaWords(via, route.dst));
    if (link !== undefined) words.push(`dev ${names(link)}`);
    words.push(`weight ${weight}`);
  }
  return words.join(' ');
}

function viaWords(via: Parameters<typeof family>[0], dst: Prefix): string {
  return family(via) === family(dst) ? `via ${via}` : `via inet6 ${via}`;
}

function describeRule(rule: Rule, word: (text: string) => string): string {
  const words = [`pref ${rule.priority}`];
  if (rule.from !== undefined) words.push(`from ${rule.from}`);
  if (rule.to !== undefined) words.push(`to ${rule.to}`);
  if (rule.mark) words.push(`fwmark 0x${rule.mark.value.toString(16)}/0x${rule.mark.mask.toString(16)}`);
  if (rule.iif !== undefined) words.push(`iif ${word(rule.iif)}`);
  words.push(`lookup ${rule.table}`, `protocol ${rule.protocol}`);
  return words.join(' ');
}
