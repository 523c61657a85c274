import { printableJson } from '../model/text.ts';

/** The world as a command sees it; the tests give it another one. */
export interface Cli {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Aborted by SIGINT or SIGTERM; the reason is a {@link Stopped}. */
  readonly signal: AbortSignal;
  /** For what was asked for. */
  readonly stdout: Output;
  /** For everything else: errors, warnings, the log. */
  readonly stderr: Output;
}

interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** Somebody told us to end. */
export class Stopped extends Error {
  // What everything that waits on an AbortSignal throws is told by this name.
  override readonly name = 'AbortError';
  readonly by: 'SIGINT' | 'SIGTERM';
  constructor(by: 'SIGINT' | 'SIGTERM') {
    super(`stopped by ${by}`);
    this.by = by;
  }
}

/**
 * Something outside of the program stops a command. Its message is all that a person sees: what, where, why,
 * and what to do.
 */
export class Failure extends Error {
  override readonly name = 'Failure';
}

/** A machine-readable answer: one JSON object on stdout, with the version of its layout first. */
export function printJson(cli: Cli, answer: object): void {
  cli.stdout.write(`${printableJson({ version: 1, ...answer })}\n`);
}
