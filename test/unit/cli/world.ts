import type { Cli } from '../../../src/cli/cli.ts';
import type { ExitCode } from '../../../src/cli/exit.ts';
import { runProgram } from '../../../src/cli/program.ts';

export interface Ran {
  readonly code: ExitCode;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs one command line in this process. */
export async function run(argv: readonly string[], env: Cli['env'] = {}, cwd = '/'): Promise<Ran> {
  const out: string[] = [];
  const err: string[] = [];
  const code = await runProgram(argv, {
    env,
    cwd,
    signal: new AbortController().signal,
    terminal: undefined,
    stdout: { write: (text) => out.push(text) },
    stderr: { write: (text) => err.push(text) },
  });
  return { code, stdout: out.join(''), stderr: err.join('') };
}
