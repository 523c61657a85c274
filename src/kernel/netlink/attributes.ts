/** The type of an attribute's value. */
export type Shown = 'u8' | 'u16' | 'u32' | 'mask' | 'members' | 'ip' | 'mac' | 'text' | 'bytes' | Attributes;

/** By number: the kernel's name without its prefix, and the type of the value. */
export type Attributes = ReadonlyMap<number, readonly [name: string, shown: Shown]>;

/** The layout of one family of messages. */
export interface Layout {
  /** Prefix of the attribute names: `RTA_`. */
  readonly prefix: string;
  /** Bytes of the fixed part. */
  readonly fixed: number;
  /** Fields of the fixed part with their offsets; the family is always the first byte. */
  readonly fields: readonly (readonly [name: string, at: number, bytes: 1 | 2 | 4])[];
  readonly attributes: Attributes;
}

function attributes(of: Readonly<Record<string, readonly [number: number, shown: Shown]>>): Attributes {
  return new Map(Object.entries(of).map(([name, [number, shown]]) => [number, [name, shown]]));
}

const nexthop: Layout = {
  prefix: 'NHA_',
  fixed: 8,
  fields: [
    ['protocol', 2, 1],
    ['flags', 4, 4],
  ],
  attributes: attributes({
    ID: [1, 'u32'],
    GROUP: [2, 'members'],
    GROUP_TYPE: [3, 'u16'],
    OIF: [5, 'u32'],
    GATEWAY: [6, 'ip'],
    RES_GROUP: [
      12,
      attributes({ BUCKETS: [1, 'u16'], IDLE_TIMER: [2, 'u32'], UNBALANCED_TIMER: [3, 'u32'] }),
    ],
  }),
};

const route: Layout = {
  prefix: 'RTA_',
  fixed: 12,
  fields: [
    ['dst_len', 1, 1],
    ['table', 4, 1],
    ['protocol', 5, 1],
    ['scope', 6, 1],
    ['type', 7, 1],
  ],
  attributes: attributes({
    DST: [1, 'ip'],
    OIF: [4, 'u32'],
    GATEWAY: [5, 'ip'],
    PRIORITY: [6, 'u32'],
    PREFSRC: [7, 'ip'],
    MULTIPATH: [9, 'bytes'],
    TABLE: [15, 'u32'],
    VIA: [18, 'bytes'],
    NH_ID: [30, 'u32'],
  }),
};

const rule: Layout = {
  prefix: 'FRA_',
  fixed: 12,
  fields: [
    ['dst_len', 1, 1],
    ['src_len', 2, 1],
    ['table', 4, 1],
    ['action', 7, 1],
    ['flags', 8, 4],
  ],
  attributes: attributes({
    DST: [1, 'ip'],
    SRC: [2, 'ip'],
    IIFNAME: [3, 'text'],
    PRIORITY: [6, 'u32'],
    FWMARK: [10, 'mask'],
    SUPPRESS_PREFIXLEN: [14, 'u32'],
    TABLE: [15, 'u32'],
    FWMASK: [16, 'mask'],
    PROTOCOL: [21, 'u8'],
  }),
};

const neighbour: Layout = {
  prefix: 'NDA_',
  fixed: 12,
  fields: [
    ['ifindex', 4, 4],
    ['state', 8, 2],
    ['flags', 10, 1],
  ],
  attributes: attributes({ DST: [1, 'ip'], LLADDR: [2, 'mac'], PROTOCOL: [12, 'u8'] }),
};

const link: Layout = {
  prefix: 'IFLA_',
  fixed: 16,
  fields: [
    ['index', 4, 4],
    ['flags', 8, 4],
  ],
  attributes: attributes({
    ADDRESS: [1, 'mac'],
    IFNAME: [3, 'text'],
    MTU: [4, 'u32'],
    EXT_MASK: [29, 'u32'],
  }),
};

const address: Layout = {
  prefix: 'IFA_',
  fixed: 8,
  fields: [
    ['prefixlen', 1, 1],
    ['index', 4, 4],
  ],
  attributes: attributes({ ADDRESS: [1, 'ip'], LOCAL: [2, 'ip'], LABEL: [3, 'text'] }),
};

const netconf: Layout = {
  prefix: 'NETCONFA_',
  fixed: 1,
  fields: [],
  attributes: attributes({ IFINDEX: [1, 'u32'], FORWARDING: [2, 'u32'], RP_FILTER: [3, 'u32'] }),
};

/** By message type without its lowest two bits, which mean new, delete, get and set. */
export const layouts: ReadonlyMap<number, Layout> = new Map([
  [16, link],
  [20, address],
  [24, route],
  [28, neighbour],
  [32, rule],
  [80, netconf],
  [104, nexthop],
]);
