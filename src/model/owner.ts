/**
 * Identifies our kernel objects: a route protocol number in every object that has one, and a range of nexthop ids,
 * since all programs of a host share the id space.
 */
export interface Owner {
  readonly protocol: number;
  /** First and last id for nexthops. */
  readonly nexthopIds: readonly [first: number, last: number];
  /** First and last id for nexthop groups. */
  readonly groupIds: readonly [first: number, last: number];
}

export const defaultProtocol = 86;

/**
 * The ids begin with the protocol number: protocol 86 uses 860000000 to 869999999.
 *
 * @param protocol 1..255; the configuration refuses numbers of other programs
 */
export function ownerOf(protocol: number): Owner {
  const base = protocol * 10_000_000;
  return {
    protocol,
    nexthopIds: [base, base + 999_999],
    groupIds: [base + 1_000_000, base + 1_999_999],
  };
}
