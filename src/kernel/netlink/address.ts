import type { Ip } from '../../model/ip.ts';
import type { LinkAddress } from '../../model/object.ts';
import { AF, type MessageReader, type MessageWriter } from './message.ts';

const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
// Of an address that another host has IFA_F_TENTATIVE stays, and IFA_F_DADFAILED comes.
const IFA_F_DADFAILED = 0x08;
const IFA_F_TENTATIVE = 0x40;
/** ifaddrmsg */
const fixedBytes = 8;

export interface FoundAddress {
  /** ifindex */
  readonly link: number;
  readonly address: LinkAddress;
}

export function encodeAddressDump(writer: MessageWriter): void {
  writer.u8(AF.unspecified).u8(0).u8(0).u8(0).u32(0);
}

/**
 * @returns undefined for families that we do not know
 * @throws MalformedError
 */
export function decodeAddress(message: MessageReader): FoundAddress | undefined {
  message.attributes(fixedBytes);
  const af = message.u8At(message.start);
  if (af !== AF.inet && af !== AF.inet6) return undefined;
  let ip: Ip | undefined;
  let local: Ip | undefined;
  while (message.nextAttribute()) {
    if (message.attribute === IFA_ADDRESS) ip = message.ip();
    else if (message.attribute === IFA_LOCAL) local = message.ip();
  }
  // On a point-to-point link IFA_ADDRESS is the other end's.
  const own = local ?? ip;
  if (own === undefined) return undefined;
  const flags = message.u8At(message.start + 2) & (IFA_F_TENTATIVE | IFA_F_DADFAILED);
  const isTentative = af === AF.inet6 && flags === IFA_F_TENTATIVE;
  return {
    link: message.u32At(message.start + 4),
    address: {
      ip: own,
      length: message.u8At(message.start + 1),
      ...(isTentative ? { tentative: true as const } : {}),
    },
  };
}
