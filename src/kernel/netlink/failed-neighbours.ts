import { headerBytes } from './message.ts';
import { accept, drop, ifAnyBit, isLittle, loadByte, socketFilter } from './socket-filter.ts';

const NUD_FAILED = 0x20;
const NUD_PERMANENT = 0x80;

/** The low byte of ndm_state, which netlink writes in the byte order of the machine. */
const stateByte = headerBytes + 8 + (isLittle ? 0 : 1);

/**
 * Accepts the notifications of neighbours that failed, and of those that somebody has fixed. Any other neighbour that is
 * asked often changes its state three times for each question: a thousand of them send 10,000 notifications a second,
 * which the kernel drops for us.
 */
export const failedNeighbours: Uint8Array = socketFilter([
  loadByte(stateByte),
  ifAnyBit(NUD_FAILED | NUD_PERMANENT, 0, 1),
  accept,
  drop,
]);
