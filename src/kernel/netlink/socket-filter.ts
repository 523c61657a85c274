import { endianness } from 'node:os';

// Linux, include/uapi/linux/bpf_common.h
const BPF_LD_IMM = 0x00;
const BPF_LDX_IMM = 0x01;
const BPF_ST = 0x02;
const BPF_TAX = 0x07;
const BPF_SUB_X = 0x1c;
const BPF_LD_W_ABS = 0x20;
const BPF_LD_H_ABS = 0x28;
const BPF_LD_B_ABS = 0x30;
const BPF_LD_W_IND = 0x40;
const BPF_AND_K = 0x54;
const BPF_AND_X = 0x5c;
const BPF_LD_MEM = 0x60;
const BPF_LDX_MEM = 0x61;
const BPF_LSH_X = 0x6c;
const BPF_XOR_K = 0xa4;
const BPF_JMP_JA = 0x05;
const BPF_JMP_JEQ_K = 0x15;
const BPF_JMP_JGE_K = 0x35;
const BPF_JMP_JSET_K = 0x45;
const BPF_RET_K = 0x06;

/** Linux, include/uapi/linux/filter.h: SKF_AD_OFF + SKF_AD_NLATTR */
const nlattr = 0xffff_f00c;

/** Instructions that a program may have (BPF_MAXINSNS). */
export const mostInstructions = 4096;

export type Instruction = readonly [code: number, jumpTrue: number, jumpFalse: number, operand: number];

export const isLittle: boolean = endianness() === 'LE';

/** Loads one byte of the message. */
export function loadByte(at: number): Instruction {
  return [BPF_LD_B_ABS, 0, 0, at];
}

/** Loads two bytes, the first as the higher one. */
export function loadHalf(at: number): Instruction {
  return [BPF_LD_H_ABS, 0, 0, at];
}

/** What {@link loadHalf} makes of a number, which netlink writes in the byte order of the machine. */
export function halfAsLoaded(value: number): number {
  const view = new DataView(new ArrayBuffer(2));
  view.setUint16(0, value, isLittle);
  return view.getUint16(0);
}

/** The same of {@link loadWord}. */
export function wordAsLoaded(value: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, value, isLittle);
  return view.getUint32(0);
}

/** Loads four bytes from so many behind the index. */
export function loadWordBehind(offset: number): Instruction {
  return [BPF_LD_W_IND, 0, 0, offset];
}

/**
 * Loads where the first attribute of a type is, and makes that the index; 0: there is none. Attributes may be in any order.
 *
 * @param from where the attributes begin
 */
export function findAttribute(type: number, from: number): readonly Instruction[] {
  return [[BPF_LD_IMM, 0, 0, from], [BPF_LDX_IMM, 0, 0, type], [BPF_LD_W_ABS, 0, 0, nlattr], toIndex];
}

export function loadNumber(value: number): Instruction {
  return [BPF_LD_IMM, 0, 0, value];
}

export const toIndex: Instruction = [BPF_TAX, 0, 0, 0];
export const subtractIndex: Instruction = [BPF_SUB_X, 0, 0, 0];
export const shiftLeftByIndex: Instruction = [BPF_LSH_X, 0, 0, 0];
export const andIndex: Instruction = [BPF_AND_X, 0, 0, 0];

export function and(operand: number): Instruction {
  return [BPF_AND_K, 0, 0, operand];
}

export function xor(operand: number): Instruction {
  return [BPF_XOR_K, 0, 0, operand];
}

/** @param place one of 16 */
export function store(place: number): Instruction {
  return [BPF_ST, 0, 0, place];
}

export function recall(place: number): Instruction {
  return [BPF_LD_MEM, 0, 0, place];
}

export function recallIndex(place: number): Instruction {
  return [BPF_LDX_MEM, 0, 0, place];
}

/** Loads four bytes, the first as the highest one. */
export function loadWord(at: number): Instruction {
  return [BPF_LD_W_ABS, 0, 0, at];
}

/** @param yes and `no`: how many instructions to leave out when the loaded value is the operand, and when it is not */
export function ifEqual(operand: number, yes: number, no: number): Instruction {
  return [BPF_JMP_JEQ_K, yes, no, operand];
}

/** Leaves out so many instructions. */
export function jump(count: number): Instruction {
  return [BPF_JMP_JA, 0, 0, count];
}

/** @param yes and `no`: how many instructions to leave out when the loaded value is at least the operand, and when it is not */
export function ifAtLeast(operand: number, yes: number, no: number): Instruction {
  return [BPF_JMP_JGE_K, yes, no, operand];
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
