import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

/** The ledger cannot be read or written; names the file, and what to do. */
export class LedgerError extends Error {
  override readonly name = 'LedgerError';
  /** 'ENOSPC', 'EACCES', …; 'EBADMSG' when the file is no ledger */
  readonly code: string;

  constructor(message: string, code: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

const version = 1;

/**
 * The values that sysctls had before we changed them. A sysctl carries no mark of its owner as a route does, so
 * this file is all there is to restore them from: it is written before the first change.
 */
export class Ledger {
  readonly #file: string;
  readonly #former: Map<string, string>;

  private constructor(file: string, former: Map<string, string>) {
    this.#file = file;
    this.#former = former;
  }

  /**
   * @param file need not exist yet
   * @throws LedgerError when it is there and is no ledger; it is left as it is
   */
  static async load(file: string): Promise<Ledger> {
    let text: string;
    try {
      text = await readFile(file, 'utf8');
    } catch (cause) {
      if (errorCode(cause) === 'ENOENT') return new Ledger(file, new Map());
      const what = `cannot read the ledger of sysctls ${file}: ${words(cause)}`;
      throw new LedgerError(what, errorCode(cause), { cause });
    }
    return new Ledger(file, parseLedger(text, file));
  }

  /** Former values, by the path below /proc/sys. */
  get former(): ReadonlyMap<string, string> {
    return this.#former;
  }

  /**
   * Writes down former values, on disk when this resolves. What is in the ledger already stays: it is older.
   *
   * @throws LedgerError; nothing is then written down
   */
  async remember(values: ReadonlyMap<string, string>): Promise<void> {
    const missing = [...values].filter(([name]) => !this.#former.has(name));
    if (missing.length === 0) return;
    await this.#write(new Map([...this.#former, ...missing]));
    for (const [name, value] of missing) this.#former.set(name, value);
  }

  /** @throws LedgerError; all is then still remembered */
  async forget(names: ReadonlySet<string>): Promise<void> {
    const rest = new Map([...this.#former].filter(([name]) => !names.has(name)));
    if (rest.size === this.#former.size) return;
    await this.#write(rest);
    for (const name of names) this.#former.delete(name);
  }

  async #write(former: ReadonlyMap<string, string>): Promise<void> {
    const sorted = Object.fromEntries([...former].sort(([a], [b]) => (a < b ? -1 : 1)));
    const text = `${JSON.stringify({ version, sysctls: sorted }, undefined, 2)}\n`;
    const folder = dirname(this.#file);
    const fresh = `${this.#file}.new`;
    try {
      await mkdir(folder, { recursive: true });
      await using file = await open(fresh, 'w', 0o644);
      await file.writeFile(text);
      await file.sync();
      await rename(fresh, this.#file);
      // The rename itself must outlive a power cut too.
      await using directory = await open(folder, 'r');
      await directory.sync();
    } catch (cause) {
      throw new LedgerError(
        `cannot write the ledger of sysctls ${this.#file}: ${words(cause)}; no sysctl is changed without it`,
        errorCode(cause),
        { cause },
      );
    }
  }
}

/** @throws LedgerError */
function parseLedger(text: string, file: string): Map<string, string> {
  const refuse = (why: string, options?: ErrorOptions) =>
    new LedgerError(
      `${file} is not a ledger of sysctls: ${why}. It holds the values from before eiproute: ` +
        'repair it or move it away; it is not overwritten',
      'EBADMSG',
      options,
    );
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (cause) {
    throw refuse(words(cause), { cause });
  }
  if (!isRecord(content)) throw refuse('not an object');
  const { version: found, sysctls } = content;
  if (found !== version) {
    throw refuse(`version ${JSON.stringify(found)}, where this program writes ${version}`);
  }
  if (!isRecord(sysctls)) throw refuse('no object "sysctls"');
  const former = new Map<string, string>();
  for (const [name, value] of Object.entries(sysctls)) {
    if (typeof value !== 'string') throw refuse(`the value of ${name} is no text`);
    if (!isSysctlName(name)) throw refuse(`"${name}" is no path below /proc/sys`);
    former.set(name, value);
  }
  return former;
}

/** A path that stays below /proc/sys. */
export function isSysctlName(name: string): boolean {
  return (
    name.split('/').every((part) => part !== '' && part !== '.' && part !== '..') && !name.includes('\0')
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'EIO';
}

function words(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
