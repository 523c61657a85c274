/** The exit codes. docs/exit-codes.md describes them; a test compares the two. */
export const exit = {
  /** Done; for `plan`: nothing to do. */
  ok: 0,
  /** Failed; the reason is on stderr. */
  failed: 1,
  /** The configuration is invalid. stdout is empty; with --json it holds `errors`. */
  config: 2,
  /** `plan`: there are changes. With --json, `changes` holds them. */
  changes: 2,
  /** `trace`: the address does not work. */
  broken: 1,
  /** `trace`: whether the address works could not be found out. */
  notKnown: 2,
  /** `status`: something that should be there is missing, in conflict, refused, held or without a live node; `plan`: it would be. */
  degraded: 3,
  /** `status`: no answer about the cluster for too long; all stays as it was. */
  frozen: 4,
  /** `status`: the cluster or the kernel was not read whole yet. */
  notSynced: 5,
  /** The command line is wrong (EX_USAGE). */
  usage: 64,
  /** A bug of ours (EX_SOFTWARE); the stack is on stderr. */
  bug: 70,
  /** Ended by Ctrl-C: 128 + SIGINT, as in a shell. */
  interrupted: 130,
  /** Ended by SIGTERM before the end of the command: 128 + SIGTERM. */
  terminated: 143,
} as const;

export type ExitCode = (typeof exit)[keyof typeof exit];
