import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** In bytes. */
export interface Memory {
  /** All that is resident, with the pages of the program that every process of it shares. */
  readonly rss: number;
  /** The process's own: heap, stacks, buffers. */
  readonly anon: number;
}

export function memoryOf(child: ChildProcess): Memory {
  return { rss: fieldOf(child, 'VmRSS'), anon: fieldOf(child, 'RssAnon') };
}

/** The most bytes that were resident at a time. */
export function peakOf(child: ChildProcess): number {
  return fieldOf(child, 'VmHWM');
}

function fieldOf({ pid }: ChildProcess, name: string): number {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  const [, kib] = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text) ?? [];
  return Number(kib) * 1024;
}
