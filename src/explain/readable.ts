import { KernelError } from '../kernel/kernel.ts';

/** What the kernel answers; undefined: it refused. */
export async function readable<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof KernelError) return undefined;
    throw error;
  }
}
