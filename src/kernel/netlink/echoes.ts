import { drop, type Instruction, ifEqual, loadWord, wordAsLoaded } from './socket-filter.ts';

/** Of nlmsg_pid in the header, which netlink writes in the byte order of the machine. */
const portOffset = 12;

/**
 * Drops the notifications of what one socket has changed. They tell its program nothing: the kernel need not queue them, and
 * each would wake it. A start with a hundred thousand EIPs has as many, a node that goes one for each of its groups.
 *
 * @param port port id of the socket
 */
export function withoutEchoes(port: number): readonly Instruction[] {
  return [loadWord(portOffset), ifEqual(wordAsLoaded(port), 0, 1), drop];
}
