import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** In bytes. */
export interface Memory {
  /** All that is resident, with the pages of the program that every process of it shares. */
  readonly rss: number;
  /** The process's own: heap, stacks, buffers. */
  readonly anon: number;
}

export function memoryOf({ pid }: ChildProcess): Memory {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  const field = (name: string): number => {
    const [, kib] = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text) ?? [];
    return Number(kib) * 1024;
  };
  return { rss: field('VmRSS'), anon: field('RssAnon') };
}
