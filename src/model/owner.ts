/** First and last nexthop id. */
export type IdSpan = readonly [first: number, last: number];

/**
 * Identifies our kernel objects: a route protocol number in every object that has one, and ranges of nexthop ids, since
 * all programs of a host share the id space.
 */
export interface Owner {
  readonly protocol: number;
  /** For nexthops. */
  readonly nexthopIds: IdSpan;
  /** For nexthop groups. */
  readonly groupIds: IdSpan;
  /** What earlier versions used, for both. Such an object is ours until nothing leads to it, and then goes. */
  readonly formerIds: IdSpan;
}

export const defaultProtocol = 86;

/**
 * The ids lie between 250000000 and 268435455, whatever the protocol. FRR gives smaller ones to its own clients, and
 * takes the upper four bits of an id for a kind of its own: on its start it finds none from 268435456 (2^28) on, and then
 * announces no route over them (8.4). Two gateways on one host share the range, and leave each other's ids alone.
 *
 * @param protocol 1..255; the configuration refuses numbers of other programs
 */
export function ownerOf(protocol: number): Owner {
  const former = protocol * 10_000_000;
  return {
    protocol,
    nexthopIds: [250_000_000, 258_999_999],
    groupIds: [260_000_000, 267_999_999],
    formerIds: [former, former + 1_999_999],
  };
}

export function isWithin(id: number, [first, last]: IdSpan): boolean {
  return id >= first && id <= last;
}

/** An id that an object of ours may have. */
export function isOwnId(id: number, { nexthopIds, groupIds, formerIds }: Owner): boolean {
  return isWithin(id, nexthopIds) || isWithin(id, groupIds) || isWithin(id, formerIds);
}
