import type { Ip } from './ip.ts';

/**
 * A condition that a person should know: it prevents a part of the work. Logged once when it appears and once when it
 * is solved. Two problems with the same `code` and `subject` are the same one.
 */
export interface Problem {
  /** Stable and greppable: 'eip-outside-pools'. */
  readonly code: string;
  readonly severity: 'warn' | 'error';
  /** What it is about: an EIP, `Service default/web`, `interface eth0`. */
  readonly subject: string;
  /** What happened and why. */
  readonly message: string;
  /** What to do about it. */
  readonly advice: string;
  readonly eip?: Ip;
  readonly service?: string;
  readonly node?: string;
  /** The API server did not answer: whatever feed has no answer either has the same cause. */
  readonly unanswered?: true;
}

export function problemKey(problem: Problem): string {
  return `${problem.code} ${problem.subject}`;
}
