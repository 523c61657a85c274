import { spawn } from 'node:child_process';

/** How a program of this host ended. */
export type Ended =
  | { readonly kind: 'ended'; readonly status: number | null; readonly out: string; readonly err: string }
  /** It is not installed, or may not be run; the reason in words. */
  | { readonly kind: 'not run'; readonly why: string };

/** Runs a program that only reads, in the C locale. Debian's PATH of a user lacks /usr/sbin, where nft is. */
export function readWith(name: string, args: readonly string[], signal: AbortSignal): Promise<Ended> {
  signal.throwIfAborted();
  const env = { ...process.env, LC_ALL: 'C', PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` };
  const { promise, resolve, reject } = Promise.withResolvers<Ended>();
  const child = spawn(name, args, { stdio: ['ignore', 'pipe', 'pipe'], env, signal });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  child.once('error', (error: NodeJS.ErrnoException) => {
    if (signal.aborted) reject(signal.reason);
    else
      resolve({
        kind: 'not run',
        why: error.code === 'ENOENT' ? `there is no program ${name}` : error.message,
      });
  });
  child.once('close', (status) => resolve({ kind: 'ended', status, out, err: err.trim() }));
  return promise;
}
