import { KernelError } from './kernel.ts';
import { MalformedError } from './netlink/message.ts';
import { SocketError } from './netlink/transport.ts';

/** Runs the work of a port. What it throws of netlink is thrown as a KernelError, other errors as they are. */
export async function withKernelErrors<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw asKernelError(error);
  }
}

/** What a port throws when netlink fails; other errors as they are. */
export function asKernelError(error: unknown): unknown {
  if (error instanceof SocketError) return new KernelError(error.code, error.message, { cause: error });
  if (error instanceof MalformedError) return new KernelError('EBADMSG', error.message, { cause: error });
  return error;
}
