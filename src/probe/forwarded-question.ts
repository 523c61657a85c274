import type { LookupPort, Question } from '../kernel/lookup-port.ts';
import { egressLink } from '../model/egress-link.ts';
import type { Gateway } from '../model/gateway.ts';
import {
  bits,
  contains,
  type Family,
  family,
  type Ip,
  ipFromNumber,
  ipNumber,
  parseIp,
} from '../model/ip.ts';
import { addressOn } from '../model/link-address.ts';
import type { Link } from '../model/object.ts';

/** What all questions about packets of clients have in common; without `iif`, what this host itself sends. */
export type Terms = Omit<Question, 'dst'>;

/** How to ask about the packets of a family, or why that cannot be asked. */
export type ForwardedQuestion =
  | { readonly kind: 'asked'; readonly terms: Terms }
  /** Told by others. */
  | { readonly kind: 'no uplink' }
  /** The rules of the table go by what no question says. */
  | { readonly kind: 'rules'; readonly why: string };

/** The table that a rule of the kernel looks up. */
const mainTable = 254;
/** Hosts of the Internet; nothing is sent to them. A rule for the uplink's own network takes no packets of theirs. */
const farHosts: Readonly<Record<Family, readonly Ip[]>> = {
  4: [parseIp('9.9.9.9'), parseIp('1.1.1.1')],
  6: [parseIp('2620:fe::fe'), parseIp('2606:4700:4700::1111')],
};
/** How many addresses beside the gateway's own are looked at for a client. */
const mostBeside = 7;

/** An address that a packet from outside could have: the router's, or one beside the gateway's own. */
export function clientBeyond(
  of: Family,
  { uplink, defaultRoutes, pools }: Pick<Gateway, 'uplink' | 'defaultRoutes' | 'pools'>,
  links: readonly Link[],
): Ip | undefined {
  const router = defaultRoutes.find((via) => family(via) === of);
  const own = addressOn(uplink, of, links);
  if (router !== undefined || own === undefined) return router;
  const addresses = links.flatMap((link) => link.addresses);
  const taken = new Set(addresses.map(({ ip }) => ip));
  const length = addresses.find(({ ip }) => ip === own)?.length ?? bits(of);
  // Neighbours of our own address. The kernel drops packets whose source is one of its own addresses, or a broadcast.
  for (let differing = 1n; differing <= mostBeside; differing += 1n) {
    const beside = ipFromNumber(ipNumber(own) ^ differing, of);
    if (!taken.has(beside) && !isOfAllHosts(beside, length) && !isPooled(beside, pools)) return beside;
  }
  return undefined;
}

/** Addresses that the packet of a client could have, the likeliest first. */
function clients(
  of: Family,
  gateway: Pick<Gateway, 'uplink' | 'defaultRoutes' | 'pools'>,
  links: readonly Link[],
): readonly Ip[] {
  const isNear = (ip: Ip): boolean => egressLink({ ip, interface: undefined }, links) !== undefined;
  const far = farHosts[of].filter((ip) => !isPooled(ip, gateway.pools) && !isNear(ip));
  const near = clientBeyond(of, gateway, links);
  return near === undefined ? far : [...far, near];
}

/** A client has no EIP: packets go to an EIP, and none comes from one. */
function isPooled(ip: Ip, pools: Gateway['pools']): boolean {
  return pools.some(({ addresses }) => addresses.some((network) => contains(network, ip)));
}

/** The first and the last address of a network of IPv4; a network of two addresses has neither. */
function isOfAllHosts(ip: Ip, length: number): boolean {
  if (family(ip) === 6 || length >= 31) return false;
  const hosts = 2n ** BigInt(32 - length);
  const host = ipNumber(ip) % hosts;
  return host === 0n || host === hosts - 1n;
}

/**
 * How to ask which route a packet of a client matches. It comes in by the uplink, from a source that the kernel takes, and
 * with the mark that the rules of a table of its own ask for.
 *
 * @throws KernelError
 */
export async function forwardedQuestion(
  of: Family,
  { gateway, links }: { readonly gateway: Gateway; readonly links: readonly Link[] },
  port: LookupPort,
  signal: AbortSignal,
): Promise<ForwardedQuestion> {
  const iif = links.find(({ name }) => name === gateway.uplink)?.index;
  if (iif === undefined) return { kind: 'no uplink' };
  const marks = await marksOf(of, gateway.table, port, signal);
  // Which of several rules is there for the EIPs is not known.
  if (marks.size !== 1) return { kind: 'rules', why: rulesWhy(gateway.table, marks.size) };
  const [mark] = marks;
  const candidates = clients(of, gateway, links);
  if (of === 6) return { kind: 'asked', terms: { from: candidates[0], iif, mark } };
  // The table `local` comes first: a packet for this host itself is refused for its source alone.
  const own = addressOn(gateway.uplink, of, links);
  const controls = own === undefined ? [] : candidates.map((from) => ({ from, iif, mark, dst: own }));
  const answers = await port.ask(controls, signal);
  const from = candidates[answers.findIndex(({ kind }) => kind === 'route')];
  return { kind: 'asked', terms: from === undefined ? { mark } : { from, iif, mark } };
}

function rulesWhy(table: number, marks: number): string {
  return marks === 0
    ? `the rules that look up table ${table} go by more than interface, mark and destination`
    : `the rules that look up table ${table} differ in their marks`;
}

/** The marks of the rules that look the table up; undefined: without one. Empty: they go by what no question says. */
async function marksOf(
  of: Family,
  table: number,
  port: LookupPort,
  signal: AbortSignal,
): Promise<ReadonlySet<number | undefined>> {
  const unmarked = new Set([undefined]);
  if (table === mainTable) return unmarked;
  const rules = (await port.rules(of, signal)).filter((rule) => rule.table === table);
  if (rules.length === 0) return unmarked;
  return new Set(rules.filter(({ isSelective }) => !isSelective).map(({ mark }) => mark));
}
