import { isDeepStrictEqual } from 'node:util';
import type { PublishedGateway, PublishedGateways } from './published.ts';

/** What a node takes of what the gateways publish. */
export interface GatewayFit {
  /** Sorted by number. */
  readonly gateways: PublishedGateways;
  /** What these publish now is not taken, and why; `isKnown`: what they published before stays. */
  readonly refused: readonly {
    readonly name: string;
    readonly why: readonly string[];
    readonly isKnown: boolean;
  }[];
}

/**
 * Takes what each gateway publishes, unless it alone makes something wrong. What is in force already is not judged: a
 * gateway that publishes what does not fit the node holds up no other one.
 *
 * @param before in force
 * @param next as published; who is not among them goes
 * @param wrong what is wrong with a node that has these gateways
 */
export function fitting(
  before: PublishedGateways,
  next: PublishedGateways,
  wrong: (gateways: PublishedGateways) => readonly string[],
): GatewayFit {
  const former = new Map(before.map((gateway) => [gateway.name, gateway]));
  const taken = new Map<string, PublishedGateway>();
  let open: PublishedGateway[] = [];
  for (const gateway of next) {
    const known = former.get(gateway.name);
    if (known !== undefined) taken.set(gateway.name, { ...gateway, publication: known.publication });
    if (!isDeepStrictEqual(known?.publication, gateway.publication)) open.push(gateway);
  }
  const sorted = (): PublishedGateways => [...taken.values()].sort((a, b) => a.number - b.number);
  let stands = new Set(wrong(sorted()));
  const added = (gateways: PublishedGateways): readonly string[] =>
    wrong(gateways).filter((one) => !stands.has(one));
  if (added(next).length === 0) return { gateways: next, refused: [] };
  // One that takes a network back makes room for another one: who was refused is tried again.
  for (let isMore = true; isMore; ) {
    isMore = false;
    const refused: PublishedGateway[] = [];
    for (const gateway of open) {
      const { name } = gateway;
      const known = taken.get(name);
      taken.set(name, gateway);
      if (added(sorted()).length === 0) {
        stands = new Set(wrong(sorted()));
        isMore = true;
        continue;
      }
      if (known === undefined) taken.delete(name);
      else taken.set(name, known);
      refused.push(gateway);
    }
    open = refused;
  }
  const gateways = sorted();
  const refused = open.map((gateway) => {
    const { name } = gateway;
    const others = gateways.filter((one) => one.name !== name);
    return { name, why: added([...others, gateway]), isKnown: taken.has(name) };
  });
  return { gateways, refused };
}
