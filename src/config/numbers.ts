import { type Format, whole } from './format.ts';

// RTPROT_* of linux/rtnetlink.h: the kernel manages routes with these itself, or they mean "by hand".
const kernelProtocols = ['unspec', 'redirect', 'kernel', 'boot', 'static'];

// zebra treats every route with a number of its daemons as its own, adds duplicates and leaves orphans. Seen with 186
// and 196 under FRR 8.4.4; the others are in the same list of zebra.
const frrProtocols: ReadonlyMap<number, string> = new Map([
  [11, 'zebra'],
  [186, 'RTPROT_BGP'],
  [187, 'RTPROT_ISIS'],
  [188, 'RTPROT_OSPF'],
  [189, 'RTPROT_RIP'],
  [190, 'RTPROT_RIPNG'],
  [191, 'RTPROT_NHRP'],
  [192, 'RTPROT_EIGRP'],
  [193, 'RTPROT_LDP'],
  [194, 'RTPROT_SHARP'],
  [195, 'RTPROT_PBR'],
  [196, 'RTPROT_ZSTATIC'],
  [197, 'RTPROT_OPENFABRIC'],
  [198, 'RTPROT_SRTE'],
]);

// Numbers of other programs in iproute2's rt_protos and linux/rtnetlink.h.
const otherProtocols: ReadonlyMap<number, string> = new Map([
  [8, 'gated'],
  [9, 'router advertisements'],
  [10, 'mrt'],
  [12, 'BIRD'],
  [13, 'dnrouted'],
  [14, 'xorp'],
  [15, 'ntk'],
  [16, 'DHCP clients'],
  [17, 'mrouted'],
  [18, 'keepalived'],
  [42, 'babel'],
  [99, 'openr'],
]);

/** A route protocol number that no other program manages. */
export const protocol: Format<number> = refusing(whole(1, 255), (value) => {
  const kernel = kernelProtocols[value];
  if (kernel !== undefined) {
    return `${value} is the kernel's "${kernel}", which says nothing of who made a route; 86 is free`;
  }
  const frr = frrProtocols.get(value);
  if (frr !== undefined) {
    return `${value} is ${frr}: FRR takes such routes for its own, adds duplicates and leaves orphans; 86 is free`;
  }
  const other = otherProtocols.get(value);
  if (other !== undefined)
    return `${value} belongs to ${other}, and ours would be taken for theirs; 86 is free`;
  return undefined;
});

/** A routing table number that may hold our routes. */
export const table: Format<number> = refusing(whole(1, 4_294_967_295), (value) =>
  value === 255 ? `255 is "local", the kernel's own table; the main table is 254` : undefined,
);

/** FRR's zebra reads no others; 253 to 255 are the kernel's own. */
export const announceTable: Format<number> = whole(1, 252);

function refusing(base: Format<number>, why: (value: number) => string | undefined): Format<number> {
  const check = (value: number): number => {
    const reason = why(value);
    if (reason !== undefined) throw new RangeError(reason);
    return value;
  };
  return {
    fromText: (text) => check(base.fromText(text)),
    fromYaml: (raw) => check(base.fromYaml(raw)),
  };
}

/** Priority of a policy rule: between the kernel's local table and its main table. */
export const priority: Format<number> = whole(1, 32_765);

/** Mask of mark bits: the bits of kube-proxy are refused. */
export const markMask: Format<number> = refusing(hexadecimal(whole(1, 0xffffffff)), maskTrouble);

/** As text, a number may be written as marks are: 0x00f00000. */
function hexadecimal(base: Format<number>): Format<number> {
  return {
    fromText: (text) => (/^0x[0-9a-f]{1,8}$/i.test(text) ? Number(text) : base.fromText(text)),
    fromYaml: base.fromYaml,
  };
}

function maskTrouble(mask: number): string | undefined {
  for (const [bit, use] of kubeProxyBits) {
    if ((mask & bit) !== 0) {
      return `${hex(mask)} holds ${hex(bit)}, which kube-proxy sets on packets that it ${use}; 0x00f00000 is free of it`;
    }
  }
  const digits = mask.toString(2);
  if (!/^11+0*$/.test(digits)) {
    return `${hex(mask)} must be two or more bits side by side, like 0x00f00000`;
  }
  return undefined;
}

const kubeProxyBits = [
  [0x4000, 'masquerades'],
  [0x8000, 'drops'],
] as const;

export function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, '0')}`;
}
