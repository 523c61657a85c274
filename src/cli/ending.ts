import { DaemonError } from '../daemon/daemon-error.ts';
import { KernelError } from '../kernel/kernel.ts';
import { printable } from '../model/text.ts';
import { Failure, Stopped } from './cli.ts';
import { type ExitCode, exit } from './exit.ts';

/** Exit code and message after an uncaught error; the text may be empty. */
export interface Ending {
  readonly code: ExitCode;
  readonly text: string;
}

export function ending(error: unknown, signal: AbortSignal): Ending {
  const by: unknown = signal.reason;
  // Every wait throws when its signal is aborted: the normal end of a stopped program.
  if (by instanceof Stopped && error instanceof Error && error.name === 'AbortError') {
    return { code: by.by === 'SIGINT' ? exit.interrupted : exit.terminated, text: '' };
  }
  if (isFailure(error)) {
    return { code: exit.failed, text: `eiproute: ${sentence(error)}\n` };
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return {
    code: exit.bug,
    text: `eiproute: this is a bug, please report it with the lines below\n${stack}\n`,
  };
}

/** An error with a cause outside of the program: its message is printed without the stack. */
function isFailure(error: unknown): error is Error {
  return (
    error instanceof Failure ||
    error instanceof DaemonError ||
    error instanceof KernelError ||
    isSystemError(error)
  );
}

/** An error of the operating system: Node sets its `syscall`. Node's own ERR_ codes are bugs of the caller. */
function isSystemError(error: unknown): error is Error {
  return error instanceof Error && 'syscall' in error && 'code' in error;
}

/** The message with those of its causes in one line, without repetitions. */
function sentence(error: Error): string {
  let text = error.message;
  for (let cause = error.cause; cause instanceof Error; cause = cause.cause) {
    const code = 'code' in cause ? String(cause.code) : cause.message;
    if (!text.includes(cause.message) && !text.includes(code)) text = `${text}: ${cause.message}`;
  }
  return printable(text.replace(/\s*\n\s*/g, ' '));
}
