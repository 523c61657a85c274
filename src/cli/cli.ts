import { printableJson } from '../model/text.ts';
import type { Terminal } from './terminal.ts';

/** The process environment of a command; tests pass another one. */
export interface Cli {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Aborted by SIGINT or SIGTERM; the reason is a {@link Stopped}. */
  readonly signal: AbortSignal;
  /** undefined: stdin is no terminal, and nobody can be asked. */
  readonly terminal: Terminal | undefined;
  /** For the output of the command. */
  readonly stdout: Output;
  /** For everything else: errors, warnings, the log. */
  readonly stderr: Output;
}

interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** A signal ends the program. */
export class Stopped extends Error {
  // The name of the error that every wait on an AbortSignal throws.
  override readonly name = 'AbortError';
  readonly by: 'SIGINT' | 'SIGTERM';
  constructor(by: 'SIGINT' | 'SIGTERM') {
    super(`stopped by ${by}`);
    this.by = by;
  }
}

/**
 * A command cannot be done for a reason outside of the program. Only its message is printed: what, where, why, and what
 * to do.
 */
export class Failure extends Error {
  override readonly name = 'Failure';
}

/** Prints one JSON object to stdout, with the version of its layout first. */
export function printJson(cli: Cli, answer: object): void {
  cli.stdout.write(`${printableJson({ version: 1, ...answer })}\n`);
}
