import { readFileSync, readlinkSync } from 'node:fs';

/** Why the tests of the real kernel cannot run here; undefined: they can. */
function obstacle(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root: sudo sh scripts/test kernel';
  if (isInherited()) return 'needs a network namespace of its own: sh scripts/test kernel';
  return undefined;
}

/**
 * Whether we live where all our ancestors live: then nobody made this namespace for us. Process 1 is not asked
 * (in a container it may not be looked at), but whoever started us is.
 */
function isInherited(): boolean {
  const own = readlinkSync('/proc/self/ns/net');
  for (let pid = process.ppid; pid > 1; pid = parentOf(pid)) {
    if (readlinkSync(`/proc/${pid}/ns/net`) !== own) return false;
  }
  return true;
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
}

/** A `describe` that changes the kernel: skipped with the reason where it may not, and failed where CI=true. */
export function describeOnKernel(name: string, body: () => void): void {
  const reason = obstacle();
  if (reason === undefined) {
    describe(name, body);
    return;
  }
  describe(name, () => {
    const { CI } = process.env;
    if (CI !== 'true') {
      it.skip(reason);
      return;
    }
    it(reason, () => {
      throw new Error(`not tried: ${reason}`);
    });
  });
}
