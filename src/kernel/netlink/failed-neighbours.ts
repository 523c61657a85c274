import { endianness } from 'node:os';
import { headerBytes } from './message.ts';

const NUD_FAILED = 0x20;
const NUD_PERMANENT = 0x80;

/** The low byte of ndm_state, which netlink writes in the byte order of the machine. */
const stateByte = headerBytes + 8 + (endianness() === 'LE' ? 0 : 1);

// Linux, include/uapi/linux/bpf_common.h
const BPF_LD_B_ABS = 0x30;
const BPF_JMP_JSET_K = 0x45;
const BPF_RET_K = 0x06;

type Instruction = readonly [code: number, jumpTrue: number, jumpFalse: number, operand: number];

const program: readonly Instruction[] = [
  [BPF_LD_B_ABS, 0, 0, stateByte],
  [BPF_JMP_JSET_K, 0, 1, NUD_FAILED | NUD_PERMANENT],
  [BPF_RET_K, 0, 0, 0xffff_ffff],
  [BPF_RET_K, 0, 0, 0],
];

/**
 * Accepts the notifications of neighbours that failed, and of those that somebody has fixed. Any other neighbour that is
 * asked often changes its state three times for each question: a thousand of them send 10,000 notifications a second,
 * which the kernel drops for us.
 */
export const failedNeighbours: Uint8Array = encoded();

function encoded(): Uint8Array {
  const bytes = new Uint8Array(program.length * 8);
  const view = new DataView(bytes.buffer);
  const isLittle = endianness() === 'LE';
  for (const [i, [code, jumpTrue, jumpFalse, operand]] of program.entries()) {
    view.setUint16(i * 8, code, isLittle);
    view.setUint8(i * 8 + 2, jumpTrue);
    view.setUint8(i * 8 + 3, jumpFalse);
    view.setUint32(i * 8 + 4, operand, isLittle);
  }
  return bytes;
}
