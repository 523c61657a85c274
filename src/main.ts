import { Stopped } from './cli/cli.ts';
import { ending } from './cli/ending.ts';
import { exit } from './cli/exit.ts';
import { runProgram } from './cli/program.ts';
import { terminalOf } from './cli/terminal.ts';

const stop = new AbortController();
// Once: a second signal has its default effect.
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort(new Stopped(name)));

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // `eiproute plan | head`: the reader has closed the pipe.
  if (error.code === 'EPIPE') process.exit();
  process.stderr.write(`eiproute: cannot write to stdout: ${error.message}\n`);
  process.exit(exit.failed);
});
process.stderr.on('error', () => {
  // An error of stderr cannot be reported, and must not end the daemon.
});

function bug(error: unknown): void {
  const { code, text } = ending(error, stop.signal);
  process.stderr.write(text);
  process.exit(code);
}
process.on('uncaughtException', bug);
process.on('unhandledRejection', bug);

/** A shell may stand in a folder that is gone: then whole paths are found, and those from the root. */
function folder(): string {
  try {
    return process.cwd();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '/';
    throw error;
  }
}

process.exitCode = await runProgram(process.argv.slice(2), {
  env: process.env,
  cwd: folder(),
  signal: stop.signal,
  terminal: process.stdin.isTTY ? terminalOf(process.stdin, process.stderr) : undefined,
  stdout: process.stdout,
  stderr: process.stderr,
});
