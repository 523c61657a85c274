import type { Member, NexthopGroup, Resilience } from '../../model/object.ts';
import { AF, MalformedError, type MessageReader, type MessageWriter } from './message.ts';

const NHA_ID = 1;
const NHA_GROUP = 2;
const NHA_GROUP_TYPE = 3;
const NHA_RES_GROUP = 12;
const NHA_RES_GROUP_BUCKETS = 1;
const NHA_RES_GROUP_IDLE_TIMER = 2;
const NHA_RES_GROUP_UNBALANCED_TIMER = 3;
/** nexthop_grp: id, weight - 1, three unused bytes. */
const memberBytes = 8;
/** Timers are in clock_t, which is a hundredth of a second on every architecture that Node runs on. */
const ticks = 100;

/** NHA_GROUP_TYPE */
export const PLAIN = 0;
export const RESILIENT = 1;

/** Writes the payload of a nexthop message. */
export function encodeGroup(writer: MessageWriter, group: NexthopGroup): void {
  writer.u8(AF.unspecified).u8(0).u8(group.protocol).u8(0).u32(0);
  writer.attributeU32(NHA_ID, group.id);
  const members = writer.open(NHA_GROUP);
  for (const { id, weight } of group.members) {
    writer
      .u32(id)
      .u8(weight - 1)
      .u8(0)
      .u16(0);
  }
  writer.close(members);
  if (group.resilience === undefined) return;
  writer.attributeU16(NHA_GROUP_TYPE, RESILIENT);
  const { buckets, idleTimer, unbalancedTimer } = group.resilience;
  const nested = writer.open(NHA_RES_GROUP | 0x8000);
  writer.attributeU16(NHA_RES_GROUP_BUCKETS, buckets);
  writer.attributeU32(NHA_RES_GROUP_IDLE_TIMER, idleTimer * ticks);
  writer.attributeU32(NHA_RES_GROUP_UNBALANCED_TIMER, unbalancedTimer * ticks);
  writer.close(nested);
}

/** Reads the current attribute as members, in the order in which they were written. */
export function decodeMembers(message: MessageReader): readonly Member[] {
  if (message.size % memberBytes !== 0) {
    throw new MalformedError(`nexthop group members of ${message.size} bytes`);
  }
  const members: Member[] = [];
  for (let at = message.at; at < message.at + message.size; at += memberBytes) {
    members.push({ id: message.u32At(at), weight: message.u8At(at + 4) + 1 });
  }
  return members;
}

export function decodeResilience(message: MessageReader): Resilience {
  const inner = message.within(message.at, message.at + message.size);
  let buckets = 0;
  let idleTimer = 0;
  let unbalancedTimer = 0;
  while (inner.nextAttribute()) {
    if (inner.attribute === NHA_RES_GROUP_BUCKETS) buckets = inner.u16();
    else if (inner.attribute === NHA_RES_GROUP_IDLE_TIMER) idleTimer = inner.u32() / ticks;
    else if (inner.attribute === NHA_RES_GROUP_UNBALANCED_TIMER) unbalancedTimer = inner.u32() / ticks;
  }
  return { buckets, idleTimer, unbalancedTimer };
}
