import { readlinkSync } from 'node:fs';
import type { RoleName } from '../config/config.ts';
import { ask } from './ask.ts';
import { DaemonError } from './daemon-error.ts';

/** What the daemon answers to `/namespace`. */
interface NamespaceAnswer {
  readonly version: 1;
  readonly pid: number;
  /** `net:[4026531840]`, the same for every process in it. */
  readonly network: string;
}

/** The daemon works in another network namespace than this process. */
export interface Elsewhere {
  /** Of the daemon. */
  readonly pid: number;
}

export function namespaceAnswer(): string {
  const answer: NamespaceAnswer = { version: 1, pid: process.pid, network: ownNetwork() };
  return JSON.stringify(answer);
}

/**
 * Whether this process reads another network namespace of the kernel than the daemon.
 *
 * @returns undefined: it is the same, or not known: no daemon answers, or one of a version that cannot say
 */
export async function elsewhere(
  runtimeDirectory: string,
  role: RoleName,
  signal: AbortSignal,
): Promise<Elsewhere | undefined> {
  try {
    const text = await ask(runtimeDirectory, role, 'GET', '/namespace', signal);
    const { pid, network }: NamespaceAnswer = JSON.parse(text);
    return network === ownNetwork() ? undefined : { pid };
  } catch (error) {
    if (error instanceof DaemonError) return undefined;
    throw error;
  }
}

/** What that means, and what to do. */
export function elsewhereWords({ pid }: Elsewhere): { readonly why: string; readonly advice: string } {
  return {
    why: `the daemon (process ${pid}) is in another network namespace than this command, which sees other routes and interfaces`,
    advice: `run it there: nsenter --net=/proc/${pid}/ns/net eiproute ...`,
  };
}

function ownNetwork(): string {
  return readlinkSync('/proc/self/ns/net');
}
