import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Runs iproute2, words separated by blanks; throws with its words when it fails. */
export async function ip(words: string): Promise<string> {
  const { stdout } = await run('ip', words.split(/\s+/).filter(Boolean), { maxBuffer: 1 << 28 });
  return stdout;
}

/** Runs many commands in one process; the first failure throws. */
export async function ipBatch(lines: readonly string[]): Promise<void> {
  if (lines.length === 0) return;
  const running = run('ip', ['-batch', '-']);
  running.child.stdin?.end(`${lines.join('\n')}\n`);
  await running;
}
