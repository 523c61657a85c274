import { spawn } from 'node:child_process';
import { frameListingOf, frameOf, isNatTable, natScript } from '../model/nat.ts';
import { digestOf, listingOf, nftScript, seal } from '../model/nft.ts';
import type { Change, NatEip, NatGroup, NftName, NftObject } from '../model/object.ts';
import type { Problem } from '../model/problem.ts';
import { KernelError } from './kernel.ts';
import { parseNatTable } from './nat-listing.ts';
import { parseTable, unsealed } from './nft-listing.ts';
import { programEnvironment } from './program.ts';

/** Notifications of older processes have been received by now. */
const remembered = 32;

/**
 * Reads and writes nftables with the program nft: its output does not depend on the kernel, and each script is one
 * transaction.
 *
 * nft prints rules in another form than they were written, and every release in its own, so a listed table cannot
 * be compared with a wanted one. It is compared with itself: after writing, the table is listed, and the digest of
 * the listing is stored in the table as its seal. A table whose digest differs from its seal was changed by another
 * program, down to a single set element. A table without a seal counts as changed: its writer was killed between
 * the two steps. A new release of nft that prints differently causes one rewrite. A change by another program in
 * the few milliseconds between writing and sealing is not noticed.
 */
export class Nft {
  readonly #pids = new Set<number>();
  /** The last listing of each table of NAT: a large one is parsed when it has changed. */
  readonly #former = new Map<string, { readonly text: string; readonly objects: readonly NftObject[] }>();

  /** Whether a notification was caused by a process of ours. */
  isOwn(pid: number): boolean {
    return this.#pids.has(pid);
  }

  /**
   * The table, and what is in it if it is one of NAT; empty when it does not exist, and on a host without nftables:
   * there `apply` refuses to add the table, and a listing of everything else succeeds. Unchanged objects are the same
   * ones as in the last listing.
   *
   * @throws KernelError
   */
  async list(name: NftName, signal: AbortSignal): Promise<readonly NftObject[]> {
    const listed = await this.#run(isNatTable(name) ? frameListingOf(name) : listingOf(name), '', signal);
    if (listed.error && absent.has(listed.error.code)) return [];
    if (listed.error) throw listed.error;
    if (!isNatTable(name)) return [parseTable(name, listed.text)];
    const elements = await this.#run(['--json', ...listingOf(name)], '', signal);
    // Somebody has deleted it meanwhile.
    if (elements.error?.code === 'ENOENT') return [];
    if (elements.error) throw elements.error;
    const text = listed.text + elements.text;
    const former = this.#former.get(name.name);
    if (former?.text === text) return former.objects;
    const objects = parseNatTable(name, listed.text, elements.text);
    this.#former.set(name.name, { text, objects });
    return objects;
  }

  /**
   * The tables of this network namespace, each as `inet filter`; none on a host without nftables.
   *
   * @throws KernelError
   */
  async tables(signal: AbortSignal): Promise<ReadonlySet<string>> {
    const listed = await this.#run(['list', 'tables'], '', signal);
    if (listed.error && absent.has(listed.error.code)) return new Set();
    if (listed.error) throw listed.error;
    return new Set(listed.text.split('\n').map((line) => line.replace(/^table /, '').trim()));
  }

  /** @returns undefined when it is done */
  async apply(change: Change, signal: AbortSignal): Promise<KernelError | undefined> {
    const table = change.verb === 'delete' ? change.have : change.want;
    if (table.kind !== 'nft') throw new TypeError(`a ${table.kind} is no table of nftables`);
    const { family, name } = table;
    const isFrame = isNatTable(table);
    const kept = isFrame && change.verb === 'replace' ? contentOf(await this.list(table, signal)) : [];
    const script = nftScript(change) + natScript(kept.map((want) => ({ verb: 'add', want })));
    const { error } = await this.#run(['--file', '-'], script, signal);
    if (error || change.verb === 'delete') return error;
    const written = await this.#run(isFrame ? frameListingOf(table) : listingOf(table), '', signal);
    if (written.error) return written.error;
    const digest = digestOf(unsealed(isFrame ? frameOf(written.text) : written.text).content);
    const chain = `add chain ${family} ${name} ${seal} { comment "${digest}"; }\n`;
    return (await this.#run(['--file', '-'], chain, signal)).error;
  }

  /**
   * Makes changes of groups and EIPs in one transaction. When something in it is refused, nothing of it is done, so the
   * halves are tried by themselves.
   *
   * @returns one entry per change; undefined: it is done
   */
  async applyNat(
    changes: readonly Change[],
    signal: AbortSignal,
  ): Promise<readonly (KernelError | undefined)[]> {
    if (changes.length === 0) return [];
    const { error } = await this.#run(['--file', '-'], natScript(changes), signal);
    if (error === undefined) return changes.map(() => undefined);
    if (changes.length === 1 || error.code === 'ENOSYS') return changes.map(() => error);
    const half = Math.ceil(changes.length / 2);
    return [
      ...(await this.applyNat(changes.slice(0, half), signal)),
      ...(await this.applyNat(changes.slice(half), signal)),
    ];
  }

  /** @throws the signal's reason */
  async #run(
    args: readonly string[],
    input: string,
    signal: AbortSignal,
  ): Promise<{ readonly text: string; readonly error: KernelError | undefined }> {
    signal.throwIfAborted();
    // Not killed by the signal: whether its transaction was committed would be unknown. It runs for milliseconds.
    const child = spawn('nft', args, { stdio: 'pipe', env: programEnvironment() });
    const ended = new Promise<{ readonly status: number | null; readonly by: NodeJS.Signals | null }>(
      (resolve, reject) => {
        child.once('error', reject);
        child.once('close', (status, by) => resolve({ status, by }));
      },
    );
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    // Without a process there are no pipes where descriptors have run out.
    if (child.pid !== undefined) {
      this.#remember(child.pid);
      child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
      child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
      // EPIPE of a process that ended early; its exit status or 'error' event says why.
      child.stdin.on('error', () => undefined);
      child.stdin.end(input);
    }
    let how: Awaited<typeof ended>;
    try {
      how = await ended;
    } catch (cause) {
      return { text: '', error: startError(cause) };
    }
    const text = Buffer.concat(out).toString();
    if (how.status === 0) return { text, error: undefined };
    // By Ctrl-C as well, which a terminal sends to all that run on it.
    if (how.by !== null) return { text, error: new KernelError('EINTR', `nft was ended by ${how.by}`) };
    return { text, error: nftError(Buffer.concat(err).toString()) };
  }

  #remember(pid: number): void {
    this.#pids.add(pid);
    const [oldest] = this.#pids;
    if (this.#pids.size > remembered && oldest !== undefined) this.#pids.delete(oldest);
  }
}

/** What is left of a table of NAT that others have changed, so that it can be put into another frame. */
function contentOf(listed: readonly NftObject[]): readonly (NatGroup | NatEip)[] {
  const groups = listed.filter((one) => one.kind === 'nat-group');
  const ids = new Set(groups.flatMap(({ id, buckets }) => (buckets.length > 0 ? [id] : [])));
  const eips = listed
    .filter((one) => one.kind === 'nat-eip')
    .map((eip) => ({
      ...eip,
      ports: eip.ports.filter(({ nodePort, group }) => nodePort !== 0 && ids.has(group)),
    }));
  return [...groups.filter(({ buckets }) => buckets.length > 0), ...eips];
}

/** nft prints the position, the kernel's message, the line and a row of carets; only the message is kept. */
export function nftError(text: string): KernelError {
  const [first = ''] = text.split('\n').filter((line) => line.includes('rror: ') || line !== '');
  const words = first.replace(/^.*?Error: /, '').replace(/^Could not process rule: /, '');
  const code = codes.find(([said]) => text.includes(said))?.[1] ?? 'EINVAL';
  return new KernelError(code, `nft: ${words}`);
}

/** No such table; no program nft, or one that may not be run; a kernel without nf_tables or nfnetlink. */
const absent: ReadonlySet<string> = new Set(['ENOENT', 'ENOSYS', 'EACCES', 'EOPNOTSUPP', 'EPROTONOSUPPORT']);

// nft prints strerror(3), and exits with 1 for every error.
const codes: readonly (readonly [said: string, code: string])[] = [
  ['File exists', 'EEXIST'],
  ['No such file or directory', 'ENOENT'],
  ['Operation not permitted', 'EPERM'],
  ['Operation not supported', 'EOPNOTSUPP'],
  ['Protocol not supported', 'EPROTONOSUPPORT'],
  // nfnetlink's answer for a subsystem that is not compiled in.
  ['cache initialization failed: Invalid argument', 'EOPNOTSUPP'],
  ['Device or resource busy', 'EBUSY'],
  ['No buffer space available', 'ENOBUFS'],
];

function startError(cause: unknown): KernelError {
  if (!(cause instanceof Error && 'code' in cause)) throw cause;
  const code = String(cause.code);
  const why =
    code === 'ENOENT' ? 'there is no program nft in PATH; install the package nftables' : cause.message;
  // Not ENOENT, which would mean that the table does not exist.
  return new KernelError(code === 'ENOENT' ? 'ENOSYS' : code, `cannot run nft: ${why}`, { cause });
}

/** What this host lacks to have nftables; undefined when nothing. */
export async function nftProblem(): Promise<Problem | undefined> {
  const child = spawn('nft', ['--version'], { stdio: 'ignore', env: programEnvironment() });
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
