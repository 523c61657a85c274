import { family, type Ip } from '../model/ip.ts';
import type { Target } from './targets.ts';

/** Whom to ask in every turn, and in one turn of {@link turnsOfSeldom} each. */
export interface Schedule {
  readonly always: readonly Ip[];
  readonly seldom: readonly (readonly Ip[])[];
}

/** Up to so many addresses, all are asked in every turn, of either family. */
export const fewAddresses = 1000;
const turnsOfSeldom = 10;

/**
 * A machine that is dead is dead for both families. So where there are many addresses, that of IPv6 is asked seldom as long
 * as that of IPv4 answers. The kernel itself asks for an address that it has packets for.
 *
 * @param asked addresses that may be asked
 * @param silent those that do not answer
 */
export function schedule(asked: readonly Ip[], nodes: readonly Target[], silent: ReadonlySet<Ip>): Schedule {
  const isSeldom = asked.length > fewAddresses ? seldomOf(asked, nodes, silent) : new Set<Ip>();
  const seldom = [...isSeldom];
  return {
    always: asked.filter((ip) => !isSeldom.has(ip)),
    seldom: Array.from({ length: turnsOfSeldom }, (_, turn) =>
      seldom.filter((_ip, i) => i % turnsOfSeldom === turn),
    ),
  };
}

function seldomOf(asked: readonly Ip[], nodes: readonly Target[], silent: ReadonlySet<Ip>): ReadonlySet<Ip> {
  const may = new Set(asked);
  const answering = new Set(
    nodes.flatMap(({ node, ip }) => (family(ip) === 4 && may.has(ip) && !silent.has(ip) ? [node] : [])),
  );
  return new Set(
    nodes.flatMap(({ node, ip }) =>
      family(ip) === 6 && may.has(ip) && !silent.has(ip) && answering.has(node) ? [ip] : [],
    ),
  );
}

/** The other addresses of the nodes that have these. */
export function siblings(ips: ReadonlySet<Ip>, nodes: readonly Target[]): readonly Ip[] {
  const names = new Set(nodes.flatMap(({ node, ip }) => (ips.has(ip) ? [node] : [])));
  return nodes.flatMap(({ node, ip }) => (names.has(node) && !ips.has(ip) ? [ip] : []));
}
