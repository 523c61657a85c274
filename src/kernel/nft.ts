import { spawn } from 'node:child_process';
import { digestOf, listingOf, nftScript, parseNftComment, seal } from '../model/nft.ts';
import type { Change, NftTable } from '../model/object.ts';
import type { Problem } from '../model/problem.ts';
import { KernelError } from './kernel.ts';

/** Only the newest processes can still have notifications under way. */
const remembered = 32;

/**
 * nftables by its own program: what it prints is the same from one kernel to the next, and each change is one
 * transaction.
 *
 * nft prints rules otherwise than they were written, and each release in its own way, so a table cannot be
 * compared with what is wanted. It is compared with itself: once written, it is listed, and the digest of that
 * goes into the table as a seal. A table whose digest does not agree with its seal was touched, down to the last
 * set element; so was one without a seal, whose writer was killed in between. A newer nft that prints otherwise
 * makes us write the table once more. (What another program changes in the few milliseconds between writing
 * and sealing is sealed with it.)
 */
export class Nft {
  readonly #pids = new Set<number>();

  /** Whether a notification comes from what we did ourselves. */
  isOwn(pid: number): boolean {
    return this.#pids.has(pid);
  }

  /**
   * The table as it is; undefined when there is none, and on a host without nftables: there the change that adds
   * it is refused, and the rest of the kernel can be read all the same.
   *
   * @throws KernelError
   */
  async list(name: string, signal: AbortSignal): Promise<NftTable | undefined> {
    const listed = await this.#run(listingOf(name), '', signal);
    if (listed.error && absent.has(listed.error.code)) return undefined;
    if (listed.error) throw listed.error;
    return parseTable(name, listed.text);
  }

  /** @returns undefined when it is done */
  async apply(change: Change, signal: AbortSignal): Promise<KernelError | undefined> {
    const { error } = await this.#run(['--file', '-'], nftScript(change), signal);
    if (error || change.verb === 'delete' || change.want.kind !== 'nft') return error;
    const { name } = change.want;
    const written = await this.#run(listingOf(name), '', signal);
    if (written.error) return written.error;
    const digest = digestOf(unsealed(written.text).content);
    const chain = `add chain inet ${name} ${seal} { comment "${digest}"; }\n`;
    return (await this.#run(['--file', '-'], chain, signal)).error;
  }

  /** @throws the signal's reason */
  async #run(
    args: readonly string[],
    input: string,
    signal: AbortSignal,
  ): Promise<{ readonly text: string; readonly error: KernelError | undefined }> {
    signal.throwIfAborted();
    // It runs for milliseconds, and is not cut short: what it did would not be known.
    const child = spawn('nft', args, { stdio: 'pipe', env: { ...process.env, LC_ALL: 'C' } });
    if (child.pid !== undefined) this.#remember(child.pid);
    const ended = new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    // When it cannot be started or ends early, its end says more than a broken pipe.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    let status: number | null;
    try {
      status = await ended;
    } catch (cause) {
      return { text: '', error: startError(cause) };
    }
    const text = Buffer.concat(out).toString();
    return { text, error: status === 0 ? undefined : nftError(Buffer.concat(err).toString()) };
  }

  #remember(pid: number): void {
    this.#pids.add(pid);
    const [oldest] = this.#pids;
    if (this.#pids.size > remembered && oldest !== undefined) this.#pids.delete(oldest);
  }
}

/** @param text as `nft list table` prints it */
export function parseTable(name: string, text: string): NftTable {
  const { content, seal: sealed } = unsealed(text);
  const [, comment = ''] = /^\tcomment "([^"]*)"$/m.exec(text) ?? [];
  const whose = parseNftComment(comment);
  const found = digestOf(content);
  const intact = whose !== undefined && sealed === found;
  return {
    kind: 'nft',
    name,
    protocol: whose?.protocol ?? 0,
    content,
    digest: intact ? whose.digest : `touched ${found}`,
  };
}

function unsealed(text: string): { readonly content: string; readonly seal: string | undefined } {
  const chain = /\n*\tchain seal \{\n\t\tcomment "(\w+)"\n\t\}\n/;
  return { content: text.replace(chain, '\n'), seal: chain.exec(text)?.[1] };
}

/** nft writes the place, the kernel's words, the line and a row of carets; the words are what counts. */
export function nftError(text: string): KernelError {
  const [first = ''] = text.split('\n').filter((line) => line.includes('rror: ') || line !== '');
  const words = first.replace(/^.*?Error: /, '').replace(/^Could not process rule: /, '');
  const code = codes.find(([said]) => text.includes(said))?.[1] ?? 'EINVAL';
  return new KernelError(code, `nft: ${words}`);
}

/** No such table; no program nft, or one that may not be run; a kernel without nf_tables or nfnetlink. */
const absent: ReadonlySet<string> = new Set(['ENOENT', 'ENOSYS', 'EACCES', 'EOPNOTSUPP', 'EPROTONOSUPPORT']);

// It prints strerror(3) and has one exit status for all of them.
const codes: readonly (readonly [said: string, code: string])[] = [
  ['File exists', 'EEXIST'],
  ['No such file or directory', 'ENOENT'],
  ['Operation not permitted', 'EPERM'],
  ['Operation not supported', 'EOPNOTSUPP'],
  ['Protocol not supported', 'EPROTONOSUPPORT'],
  // What nfnetlink answers for a subsystem that it does not have.
  ['cache initialization failed: Invalid argument', 'EOPNOTSUPP'],
  ['Device or resource busy', 'EBUSY'],
  ['No buffer space available', 'ENOBUFS'],
];

function startError(cause: unknown): KernelError {
  if (!(cause instanceof Error && 'code' in cause)) throw cause;
  const code = String(cause.code);
  const why =
    code === 'ENOENT' ? 'there is no program nft in PATH; install the package nftables' : cause.message;
  // Not ENOENT: that would say of a table that it is gone.
  return new KernelError(code === 'ENOENT' ? 'ENOSYS' : code, `cannot run nft: ${why}`, { cause });
}

/** What this host lacks to have nftables; undefined when nothing. */
export async function nftProblem(): Promise<Problem | undefined> {
  const child = spawn('nft', ['--version'], { stdio: 'ignore' });
  const error = await new Promise<unknown>((resolve) => {
    child.once('error', resolve);
    child.once('close', () => resolve(undefined));
  });
  if (error === undefined) return undefined;
  return {
    code: 'nft-missing',
    severity: 'error',
    subject: 'nft',
    message: startError(error).extack,
    advice: 'apt-get install nftables, dnf install nftables, or what else brings it here',
  };
}
