import { spawn } from 'node:child_process';

/** How a program of this host ended. */
export type Ended =
  | { readonly kind: 'ended'; readonly status: number | null; readonly out: string; readonly err: string }
  /** It is not installed, or may not be run; the reason in words. */
  | { readonly kind: 'not run'; readonly why: string };

/**
 * For a program of this host: the C locale, and a PATH with /usr/sbin, which Debian's PATH of a user lacks. Who empties
 * PATH wants no program to be found.
 */
export function programEnvironment(): NodeJS.ProcessEnv {
  const { PATH } = process.env;
  return { ...process.env, LC_ALL: 'C', PATH: PATH === '' ? '' : `${PATH ?? ''}:/usr/sbin:/sbin` };
}

/** Runs a program that only reads. */
export function readWith(name: string, args: readonly string[], signal: AbortSignal): Promise<Ended> {
  signal.throwIfAborted();
  const env = programEnvironment();
  const { promise, resolve, reject } = Promise.withResolvers<Ended>();
  const child = spawn(name, args, { stdio: ['ignore', 'pipe', 'pipe'], env, signal });
  let out = '';
  let err = '';
  // Without a process there are no pipes where descriptors have run out.
  if (child.pid !== undefined) {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      err += text;
    });
  }
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
