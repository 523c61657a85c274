import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** @throws Error with what the command wrote to stderr */
export async function output(argv: readonly [string, ...string[]]): Promise<string> {
  const [command, ...rest] = argv;
  try {
    const { stdout } = await execute(command, rest, { maxBuffer: 1 << 26 });
    return stdout;
  } catch (cause) {
    const missing = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
    if (missing) throw new Error(`"${command}" is not installed; "sh scripts/setup package" installs it`);
    throw cause;
  }
}
