import { errnoName } from '../../libc.ts';
import { KernelError } from '../kernel.ts';
import { Flag, headerBytes, MalformedError, type MessageReader } from './message.ts';

const NLMSGERR_ATTR_MSG = 1;

/**
 * Reads an NLMSG_ERROR.
 *
 * @returns undefined for an acknowledgement
 */
export function decodeError(message: MessageReader): KernelError | undefined {
  const { start, end } = message;
  if (end - start < 4 + headerBytes) throw new MalformedError(`an error message of ${end - start} bytes`);
  const errno = -message.i32At(start);
  if (errno === 0) return undefined;
  return new KernelError(errnoName(errno), extack(message, message.u32At(start + 4)));
}

/** The error of a failed dump, which is in its NLMSG_DONE. */
export function decodeDone(message: MessageReader): KernelError | undefined {
  const { start, end } = message;
  const errno = end - start < 4 ? 0 : -message.i32At(start);
  if (errno === 0) return undefined;
  let words = '';
  if (message.flags & Flag.NLM_F_ACK_TLVS) {
    message.attributesIn(start + 4, end);
    words = ackText(message);
  }
  return new KernelError(errnoName(errno), words);
}

function extack(message: MessageReader, originalLength: number): string {
  if ((message.flags & Flag.NLM_F_ACK_TLVS) === 0) return '';
  // Bounded first: a length beyond 2^31 would turn negative and point in front of the buffer.
  const whole = Math.min(originalLength, message.end);
  const copied = message.flags & Flag.NLM_F_CAPPED ? headerBytes : (whole + 3) & ~3;
  message.attributesIn(message.start + 4 + copied, message.end);
  return ackText(message);
}

function ackText(message: MessageReader): string {
  let words = '';
  while (message.nextAttribute()) {
    if (message.attribute === NLMSGERR_ATTR_MSG) words = message.text();
  }
  return words;
}
