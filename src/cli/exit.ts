/** What the program's exit status says. docs/exit-codes.md is the same for people; a test holds them together. */
export const exit = {
  /** Done; for `plan`: nothing to do. */
  ok: 0,
  /** It could not be done: the reason is on stderr. */
  failed: 1,
  /** The configuration is wrong; stdout is empty then, but with --json, where `errors` says it. */
  config: 2,
  /** `plan`: there are changes. With --json, `changes` says it. */
  changes: 2,
  /** The command line is wrong (EX_USAGE). */
  usage: 64,
  /** A bug of ours (EX_SOFTWARE); the stack is on stderr. */
  bug: 70,
  /** Ended by Ctrl-C, as a shell would say it: 128 + SIGINT. */
  interrupted: 130,
  /** Ended by SIGTERM before it was done: 128 + SIGTERM. */
  terminated: 143,
} as const;

export type ExitCode = (typeof exit)[keyof typeof exit];
