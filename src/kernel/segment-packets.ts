import { family, type Ip, ipBytes, ipFromBytes } from '../model/ip.ts';
import { accept, drop, ifEqual, loadByte, socketFilter } from './netlink/socket-filter.ts';
import type { Heard } from './segment-port.ts';

// ARP (RFC 826, RFC 5227) and NDP (RFC 4861), from the header of the network layer on: Linux writes that of Ethernet.

export const ETH_P_ARP = 0x0806;
export const ETH_P_IPV6 = 0x86dd;

const arpRequest = 1;
const arpBytes = 28;
const ipv6HeaderBytes = 40;
const icmpv6 = 58;
const neighbourSolicitation = 135;
const neighbourAdvertisement = 136;
/** R and O: a router, and what it says replaces what was known. */
const routerOverrides = 0xa0;
const targetLinkLayerAddress = 2;
/** A router drops it, so it was sent on this segment. */
const neverForwarded = 255;

const nowhere4 = new Uint8Array(4);
const nowhere6 = new Uint8Array(16);
const nobody = new Uint8Array(6);
const everybody = new Uint8Array(6).fill(0xff);

export interface Packet {
  readonly protocol: number;
  /** Of the link layer. */
  readonly to: Uint8Array;
  readonly bytes: Uint8Array;
}

/** @param mac of our interface */
export function probeOf(ip: Ip, mac: Uint8Array): Packet {
  const address = ipBytes(ip);
  if (family(ip) === 4) return arp(mac, nowhere4, address);
  return icmp(
    nowhere6,
    groupOf(address),
    Uint8Array.of(neighbourSolicitation, 0, 0, 0, 0, 0, 0, 0, ...address),
  );
}

/** @param mac of our interface */
export function announcementOf(ip: Ip, mac: Uint8Array): Packet {
  const address = ipBytes(ip);
  if (family(ip) === 4) return arp(mac, address, address);
  const allNodes = Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
  const head = [neighbourAdvertisement, 0, 0, 0, routerOverrides, 0, 0, 0];
  return icmp(address, allNodes, Uint8Array.of(...head, ...address, targetLinkLayerAddress, 1, ...mac));
}

/** Groups in one report; it fits into the smallest MTU of IPv6. */
const groupsAtOnce = 60;
const multicastReport = 143;
const changeToExclude = 4;

/**
 * Reports of MLDv2 (RFC 3810) that the groups in which hosts solicit the addresses are here. A switch that snoops forwards
 * a solicitation nowhere else, and hears of a group by itself only with its next query.
 *
 * @param mac of our interface
 */
export function reportsOf(ips: readonly Ip[], mac: Uint8Array): readonly Packet[] {
  const found = ips.filter((ip) => family(ip) === 6);
  const packets: Packet[] = [];
  for (let from = 0; from < found.length; from += groupsAtOnce) {
    const some = found.slice(from, from + groupsAtOnce);
    const records = some.flatMap((ip) => [changeToExclude, 0, 0, 0, ...groupOf(ipBytes(ip))]);
    const head = [multicastReport, 0, 0, 0, 0, 0, 0, some.length];
    packets.push(report(linkLocalOf(mac), Uint8Array.of(...head, ...records)));
  }
  return packets;
}

/** The solicited-node group of an address. */
function groupOf(address: Uint8Array): Uint8Array {
  return Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, ...address.subarray(13));
}

function linkLocalOf(mac: Uint8Array): Uint8Array {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = mac;
  return Uint8Array.of(0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f);
}

function report(from: Uint8Array, message: Uint8Array): Packet {
  const allRouters = Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x16);
  const length = message.length;
  const [high, low] = [length >> 8, length & 0xff];
  const pseudo = Uint8Array.of(...from, ...allRouters, 0, 0, high, low, 0, 0, 0, icmpv6, ...message);
  const sum = checksum(pseudo);
  message[2] = sum >> 8;
  message[3] = sum & 0xff;
  // A header of hop-by-hop options with a router alert comes first.
  const alert = [icmpv6, 0, 5, 2, 0, 0, 1, 0];
  const size = length + alert.length;
  const head = [0x60, 0, 0, 0, size >> 8, size & 0xff, 0, 1];
  return {
    protocol: ETH_P_IPV6,
    to: Uint8Array.of(0x33, 0x33, ...allRouters.subarray(12)),
    bytes: Uint8Array.of(...head, ...from, ...allRouters, ...alert, ...message),
  };
}

function arp(mac: Uint8Array, sender: Uint8Array, target: Uint8Array): Packet {
  const head = [0, 1, 0x08, 0, 6, 4, 0, arpRequest];
  return {
    protocol: ETH_P_ARP,
    to: everybody,
    bytes: Uint8Array.of(...head, ...mac, ...sender, ...nobody, ...target),
  };
}

function icmp(from: Uint8Array, to: Uint8Array, message: Uint8Array): Packet {
  const length = message.length;
  const pseudo = Uint8Array.of(...from, ...to, 0, 0, 0, length, 0, 0, 0, icmpv6, ...message);
  const sum = checksum(pseudo);
  message[2] = sum >> 8;
  message[3] = sum & 0xff;
  const head = [0x60, 0, 0, 0, 0, length, icmpv6, neverForwarded];
  return {
    protocol: ETH_P_IPV6,
    to: Uint8Array.of(0x33, 0x33, ...to.subarray(12)),
    bytes: Uint8Array.of(...head, ...from, ...to, ...message),
  };
}

/** Of the internet (RFC 1071); an even number of bytes. */
function checksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}

/**
 * @param bytes of one packet
 * @param from link-layer address of the sender
 * @returns undefined for what says nothing of who has an address
 */
export function readPacket(protocol: number, bytes: Uint8Array, from: string): Heard | undefined {
  return protocol === ETH_P_ARP ? readArp(bytes) : readNdp(bytes, from);
}

function readArp(bytes: Uint8Array): Heard | undefined {
  // Ethernet and IPv4.
  if (bytes.length < arpBytes || bytes[1] !== 1 || bytes[2] !== 8 || bytes[4] !== 6 || bytes[5] !== 4)
    return undefined;
  const mac = macText(bytes.subarray(8, 14));
  const sender = bytes.subarray(14, 18);
  if (!isZero(sender)) return { kind: 'claim', ip: ipFromBytes(sender), mac };
  const isProbe = bytes[7] === arpRequest;
  return isProbe ? { kind: 'probe', ip: ipFromBytes(bytes.subarray(24, 28)), mac } : undefined;
}

function readNdp(bytes: Uint8Array, from: string): Heard | undefined {
  const message = bytes.subarray(ipv6HeaderBytes);
  if (message.length < 24 || bytes[6] !== icmpv6 || bytes[7] !== neverForwarded) return undefined;
  const ip = ipFromBytes(message.subarray(8, 24));
  if (message[0] === neighbourAdvertisement) return { kind: 'claim', ip, mac: linkLayer(message) ?? from };
  if (message[0] !== neighbourSolicitation) return undefined;
  const source = bytes.subarray(8, 24);
  // Who asks for its neighbour says who it is, as with ARP.
  return isZero(source)
    ? { kind: 'probe', ip, mac: from }
    : { kind: 'claim', ip: ipFromBytes(source), mac: from };
}

/** The target link-layer address of an advertisement. */
function linkLayer(message: Uint8Array): string | undefined {
  for (let at = 24; at + 8 <= message.length; ) {
    const length = (message[at + 1] ?? 0) * 8;
    if (message[at] === targetLinkLayerAddress) return macText(message.subarray(at + 2, at + 8));
    if (length === 0) return undefined;
    at += length;
  }
  return undefined;
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

export function macText(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/** A classic BPF program that accepts neighbour solicitations and advertisements: the kernel drops the traffic for us. */
export const ndpOnly: Uint8Array = socketFilter([
  loadByte(6),
  ifEqual(icmpv6, 0, 4),
  loadByte(ipv6HeaderBytes),
  ifEqual(neighbourAdvertisement, 1, 0),
  ifEqual(neighbourSolicitation, 0, 1),
  accept,
  drop,
]);
