import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';

/** Starts a command that dies with us, however we die: nothing is left running. */
export function tied(argv: readonly string[], options: SpawnOptions): ChildProcess {
  const [file = '', ...args] = ['setpriv', '--pdeathsig', 'KILL', ...argv];
  return spawn(file, args, options);
}
