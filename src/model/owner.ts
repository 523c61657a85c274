/**
 * How we tell our own kernel objects from everybody else's: a route protocol number in every object that can
 * carry one, and a range of nexthop ids, since ids are shared by all programs of a host.
 */
export interface Owner {
  readonly protocol: number;
  /** First and last nexthop id we may use. */
  readonly nexthopIds: readonly [first: number, last: number];
  /** First and last nexthop group id we may use. */
  readonly groupIds: readonly [first: number, last: number];
}

export const defaultProtocol = 86;

/**
 * The ids say at a glance whose they are: protocol 86 uses 860000000 to 869999999.
 *
 * @param protocol 1..255; config refuses the ones that belong to others
 */
export function ownerOf(protocol: number): Owner {
  const base = protocol * 10_000_000;
  return {
    protocol,
    nexthopIds: [base, base + 999_999],
    groupIds: [base + 1_000_000, base + 1_999_999],
  };
}
