import { type Family, ipBytes, type Prefix, prefixIp, prefixLength } from '../../model/ip.ts';
import type { Rule } from '../../model/object.ts';
import { AF, familyNumber, type MessageReader, type MessageWriter } from './message.ts';

const FRA_DST = 1;
const FRA_SRC = 2;
const FRA_IIFNAME = 3;
const FRA_PRIORITY = 6;
const FRA_FWMARK = 10;
const FRA_SUPPRESS_PREFIXLEN = 14;
const FRA_TABLE = 15;
const FRA_FWMASK = 16;
const FRA_PAD = 18;
const FRA_PROTOCOL = 21;
/** fib_rule_hdr */
const fixedBytes = 12;
const FR_ACT_TO_TBL = 1;
/** FIB_RULE_INVERT; the other flags are state (the interface does not exist). */
const FIB_RULE_INVERT = 2;
const unset = 0xffffffff;

/** Writes the payload of a rule message; the same for a deletion. */
export function encodeRule(writer: MessageWriter, rule: Rule): void {
  writer.u8(familyNumber(rule.family));
  writer.u8(rule.to === undefined ? 0 : prefixLength(rule.to));
  writer.u8(rule.from === undefined ? 0 : prefixLength(rule.from)).u8(0);
  writer.u8(rule.table < 256 ? rule.table : 0);
  writer.u8(0).u8(0).u8(FR_ACT_TO_TBL).u32(0);
  if (rule.to !== undefined) writer.attributeBytes(FRA_DST, ipBytes(prefixIp(rule.to)));
  if (rule.from !== undefined) writer.attributeBytes(FRA_SRC, ipBytes(prefixIp(rule.from)));
  if (rule.iif !== undefined) writer.attributeText(FRA_IIFNAME, rule.iif);
  writer.attributeU32(FRA_PRIORITY, rule.priority);
  if (rule.mark !== undefined) {
    writer.attributeU32(FRA_FWMARK, rule.mark.value);
    writer.attributeU32(FRA_FWMASK, rule.mark.mask);
  }
  writer.attributeU32(FRA_TABLE, rule.table);
  writer.attributeU8(FRA_PROTOCOL, rule.protocol);
}

export function encodeRuleDump(writer: MessageWriter, family: Family): void {
  writer.u8(familyNumber(family)).u8(0).u8(0).u8(0).u32(0).u32(0);
}

/** A rule of a dump; `rule` is undefined when our model cannot express it. */
export interface FoundRule {
  readonly protocol: number;
  /** The table that it looks up; undefined: it does something else. */
  readonly table: number | undefined;
  readonly rule: Rule | undefined;
}

/** @throws MalformedError */
export function decodeRule(message: MessageReader): FoundRule {
  message.attributes(fixedBytes);
  const { start } = message;
  const af = message.u8At(start);
  const toLength = message.u8At(start + 1);
  const fromLength = message.u8At(start + 2);
  const tos = message.u8At(start + 3);
  const action = message.u8At(start + 7);
  const flags = message.u32At(start + 8);
  let expressible =
    (af === AF.inet || af === AF.inet6) &&
    tos === 0 &&
    action === FR_ACT_TO_TBL &&
    !(flags & FIB_RULE_INVERT);
  let table = message.u8At(start + 4);
  let priority = 0;
  let protocol = 0;
  let from: Prefix | undefined;
  let to: Prefix | undefined;
  let iif: string | undefined;
  let value = 0;
  let mask = 0;
  while (message.nextAttribute()) {
    switch (message.attribute) {
      case FRA_DST:
        to = message.prefix(toLength);
        break;
      case FRA_SRC:
        from = message.prefix(fromLength);
        break;
      case FRA_IIFNAME:
        iif = message.text();
        break;
      case FRA_PRIORITY:
        priority = message.u32();
        break;
      case FRA_FWMARK:
        value = message.u32();
        break;
      case FRA_FWMASK:
        mask = message.u32();
        break;
      case FRA_TABLE:
        table = message.u32();
        break;
      case FRA_PROTOCOL:
        protocol = message.u8();
        break;
      case FRA_PAD:
        break;
      case FRA_SUPPRESS_PREFIXLEN:
        // The kernel sends it also when it is not set.
        if (message.u32() !== unset) expressible = false;
        break;
      default:
        // A selector that our model does not have: the rest of the rule alone would match other packets.
        expressible = false;
    }
  }
  const mark = mask === 0 ? undefined : { value, mask };
  const family: Family = af === AF.inet ? 4 : 6;
  const rule: Rule = { kind: 'rule', family, priority, protocol, table, from, to, mark, iif };
  const lookup = action === FR_ACT_TO_TBL ? table : undefined;
  return { protocol, table: lookup, rule: expressible ? rule : undefined };
}
