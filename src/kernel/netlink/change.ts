import type { Change, KernelObject, NatEip, NatGroup, NftTable, Sysctl } from '../../model/object.ts';
import { encodeGroup } from './group.ts';
import { Flag, type MessageWriter, Type } from './message.ts';
import { encodeNexthop, encodeNexthopId } from './nexthop.ts';
import { encodeProxyNeighbour, encodeProxyNeighbourKey } from './proxy-neighbour.ts';
import { encodeRoute, encodeRouteDeletion } from './route.ts';
import { encodeRule } from './rule.ts';

/** Objects that rtnetlink has messages for. */
export type NetlinkObject = Exclude<KernelObject, Sysctl | NftTable | NatGroup | NatEip>;

const verbFlags = {
  add: Flag.NLM_F_REQUEST | Flag.NLM_F_CREATE | Flag.NLM_F_EXCL,
  replace: Flag.NLM_F_REQUEST | Flag.NLM_F_CREATE | Flag.NLM_F_REPLACE,
  delete: Flag.NLM_F_REQUEST,
} as const;

/** Writes one message. Throws for a sysctl and for all that is in nftables: rtnetlink has no messages for them. */
export function encodeChange(writer: MessageWriter, change: Change, sequence: number): void {
  const object = change.verb === 'delete' ? change.have : change.want;
  if (object.kind === 'sysctl' || object.kind === 'nft') {
    throw new TypeError(`the ${object.kind} ${object.name} does not travel by rtnetlink`);
  }
  if (object.kind === 'nat-group' || object.kind === 'nat-eip')
    throw new TypeError(`a ${object.kind} does not travel by rtnetlink`);
  const gone = change.verb === 'delete';
  writer.begin(messageType(object, gone), verbFlags[change.verb], sequence);
  if (gone) encodeDeletion(writer, object);
  else encodeObject(writer, object);
  writer.end();
}

function encodeObject(writer: MessageWriter, object: NetlinkObject): void {
  switch (object.kind) {
    case 'nexthop':
      encodeNexthop(writer, object);
      break;
    case 'group':
      encodeGroup(writer, object);
      break;
    case 'route':
      encodeRoute(writer, object);
      break;
    case 'rule':
      encodeRule(writer, object);
      break;
    case 'neighbour':
      encodeProxyNeighbour(writer, object);
      break;
    default:
      object satisfies never;
  }
}

function encodeDeletion(writer: MessageWriter, object: NetlinkObject): void {
  switch (object.kind) {
    case 'nexthop':
    case 'group':
      encodeNexthopId(writer, object.id);
      break;
    case 'route':
      encodeRouteDeletion(writer, object);
      break;
    case 'rule':
      encodeRule(writer, object);
      break;
    case 'neighbour':
      encodeProxyNeighbourKey(writer, object);
      break;
    default:
      object satisfies never;
  }
}

function messageType(object: NetlinkObject, gone: boolean): number {
  switch (object.kind) {
    case 'nexthop':
    case 'group':
      return gone ? Type.RTM_DELNEXTHOP : Type.RTM_NEWNEXTHOP;
    case 'route':
      return gone ? Type.RTM_DELROUTE : Type.RTM_NEWROUTE;
    case 'rule':
      return gone ? Type.RTM_DELRULE : Type.RTM_NEWRULE;
    case 'neighbour':
      return gone ? Type.RTM_DELNEIGH : Type.RTM_NEWNEIGH;
    default:
      return object satisfies never;
  }
}
