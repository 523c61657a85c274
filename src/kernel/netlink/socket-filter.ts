import { endianness } from 'node:os';

// Linux, include/uapi/linux/bpf_common.h
const BPF_LD_W_ABS = 0x20;
const BPF_LD_B_ABS = 0x30;
const BPF_JMP_JEQ_K = 0x15;
const BPF_JMP_JSET_K = 0x45;
const BPF_RET_K = 0x06;

type Instruction = readonly [code: number, jumpTrue: number, jumpFalse: number, operand: number];

export const isLittle: boolean = endianness() === 'LE';

/** Loads one byte of the message. */
export function loadByte(at: number): Instruction {
  return [BPF_LD_B_ABS, 0, 0, at];
}

/** Loads four bytes, the first as the highest one. */
export function loadWord(at: number): Instruction {
  return [BPF_LD_W_ABS, 0, 0, at];
}

/** @param yes and `no`: how many instructions to leave out when the loaded value is the operand, and when it is not */
export function ifEqual(operand: number, yes: number, no: number): Instruction {
  return [BPF_JMP_JEQ_K, yes, no, operand];
}

/** @param yes and `no`: how many instructions to leave out when the loaded value has one of these bits, and when not */
export function ifAnyBit(operand: number, yes: number, no: number): Instruction {
  return [BPF_JMP_JSET_K, yes, no, operand];
}

export const accept: Instruction = [BPF_RET_K, 0, 0, 0xffff_ffff];
export const drop: Instruction = [BPF_RET_K, 0, 0, 0];

/** A classic BPF program, as {@link attachFilter} takes it. */
export function socketFilter(program: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(program.length * 8);
  const view = new DataView(bytes.buffer);
  for (const [i, [code, jumpTrue, jumpFalse, operand]] of program.entries()) {
    view.setUint16(i * 8, code, isLittle);
    view.setUint8(i * 8 + 2, jumpTrue);
    view.setUint8(i * 8 + 3, jumpFalse);
    view.setUint32(i * 8 + 4, operand, isLittle);
  }
  return bytes;
}
