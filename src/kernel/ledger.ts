import { open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { makeFolder } from '../folder.ts';
import type { Problem } from '../model/problem.ts';

/** The ledger cannot be written; the message names the file. */
export class LedgerError extends Error {
  override readonly name = 'LedgerError';
  /** 'ENOSPC', 'EACCES', … */
  readonly code: string;

  constructor(message: string, code: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

const version = 1;

/** A file that cannot be read as a ledger. */
interface Damage {
  readonly why: string;
  /** The path it is moved to before a new ledger is written. */
  readonly aside: string;
  readonly moved: boolean;
}

/**
 * The values that sysctls had before we changed them. A sysctl has no owner as a route has a protocol, so this file
 * is the only source to restore them from: it is written before the first change.
 *
 * A damaged file does not keep the daemon from routing: only `purge` needs its values. It is read as an empty
 * ledger, reported as a problem, and moved aside by the first write.
 */
export class Ledger {
  readonly #file: string;
  readonly #former: Map<string, string>;
  readonly #written: Map<string, string>;
  #damage: Damage | undefined;

  private constructor(file: string, { former, written }: LedgerContent, damage: Damage | undefined) {
    this.#file = file;
    this.#former = former;
    this.#written = written;
    this.#damage = damage;
  }

  /** @param file need not exist yet */
  static async load(file: string, clock = () => new Date()): Promise<Ledger> {
    try {
      return new Ledger(file, parseLedger(await readFile(file, 'utf8')), undefined);
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return new Ledger(file, nothing(), undefined);
      const damage = { why: words(error), aside: `${file}.${clock().toISOString()}`, moved: false };
      return new Ledger(file, nothing(), damage);
    }
  }

  /** The damage of the file; reported until a restart. */
  get problems(): readonly Problem[] {
    if (this.#damage === undefined) return [];
    const { why, aside } = this.#damage;
    return [
      {
        code: 'sysctl-ledger-damaged',
        severity: 'warn',
        subject: this.#file,
        message: `${this.#file} cannot be used as the ledger of sysctls: ${why}; the values from before eiproute are lost; before the next change of a setting the file is moved to ${aside}`,
        advice:
          'nothing that is routed needs them; after a purge, set by hand what was not a default of this host',
      },
    ];
  }

  /** Former values, by the path below /proc/sys. */
  get former(): ReadonlyMap<string, string> {
    return this.#former;
  }

  /** The values that the kernel showed after we wrote; a name may lack where a file is older, or a write was cut off. */
  get written(): ReadonlyMap<string, string> {
    return this.#written;
  }

  /**
   * Stores former values; they are on disk when this resolves. A value in the ledger is older and stays.
   *
   * @throws LedgerError; nothing is then written down
   */
  async remember(values: ReadonlyMap<string, string>): Promise<void> {
    const missing = [...values].filter(([name]) => !this.#former.has(name));
    if (missing.length === 0) return;
    await this.#write(new Map([...this.#former, ...missing]), this.#written);
    for (const [name, value] of missing) this.#former.set(name, value);
  }

  /**
   * Writes down what the kernel shows after our own writes, of the values that are remembered.
   *
   * @throws LedgerError; nothing is then written down
   */
  async wrote(values: ReadonlyMap<string, string>): Promise<void> {
    const fresh = [...values].filter(
      ([name, value]) => this.#former.has(name) && this.#written.get(name) !== value,
    );
    if (fresh.length === 0) return;
    await this.#write(this.#former, new Map([...this.#written, ...fresh]));
    for (const [name, value] of fresh) this.#written.set(name, value);
  }

  /** @throws LedgerError; all is then still remembered */
  async forget(names: ReadonlySet<string>): Promise<void> {
    const rest = new Map([...this.#former].filter(([name]) => !names.has(name)));
    if (rest.size === this.#former.size) return;
    await this.#write(rest, new Map([...this.#written].filter(([name]) => rest.has(name))));
    for (const name of names) {
      this.#former.delete(name);
      this.#written.delete(name);
    }
  }

  /** A damaged file is never overwritten: a person may still read values in it. */
  async #moveAside(): Promise<void> {
    if (this.#damage === undefined || this.#damage.moved) return;
    try {
      await rename(this.#file, this.#damage.aside);
    } catch (error) {
      // The file was removed since.
      if (errorCode(error) !== 'ENOENT') throw error;
    }
    this.#damage = { ...this.#damage, moved: true };
  }

  async #write(former: ReadonlyMap<string, string>, written: ReadonlyMap<string, string>): Promise<void> {
    const content = {
      version,
      sysctls: sorted(former),
      ...(written.size === 0 ? {} : { written: sorted(written) }),
    };
    const text = `${JSON.stringify(content, undefined, 2)}\n`;
    const folder = dirname(this.#file);
    const fresh = `${this.#file}.new`;
    try {
      makeFolder(folder);
      await this.#moveAside();
      await using file = await open(fresh, 'w', 0o644);
      await file.writeFile(text);
      await file.sync();
      await rename(fresh, this.#file);
      // Without this the rename is lost with the power.
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

function sorted(values: ReadonlyMap<string, string>): Readonly<Record<string, string>> {
  return Object.fromEntries([...values].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Values by the path below /proc/sys. */
interface LedgerContent {
  readonly former: Map<string, string>;
  readonly written: Map<string, string>;
}

function nothing(): LedgerContent {
  return { former: new Map(), written: new Map() };
}

export function isLedger(text: string): boolean {
  try {
    parseLedger(text);
    return true;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return false;
    throw error;
  }
}

/** @throws SyntaxError, TypeError that say why the text is no ledger */
function parseLedger(text: string): LedgerContent {
  const content: unknown = JSON.parse(text);
  if (!isRecord(content)) throw new TypeError('not an object');
  const { version: found, sysctls, written = {} } = content;
  if (found !== version) {
    throw new TypeError(`version ${JSON.stringify(found)}, where this program writes ${version}`);
  }
  if (!isRecord(sysctls)) throw new TypeError('no object "sysctls"');
  if (!isRecord(written)) throw new TypeError('"written" is no object');
  return { former: parseValues(sysctls), written: parseValues(written) };
}

function parseValues(values: Record<string, unknown>): Map<string, string> {
  const parsed = new Map<string, string>();
  for (const [name, value] of Object.entries(values)) {
    if (typeof value !== 'string') throw new TypeError(`the value of ${name} is no text`);
    if (!isSysctlName(name)) throw new TypeError(`"${name}" is no path below /proc/sys`);
    parsed.set(name, value);
  }
  return parsed;
}

/** Whether the name is a path below /proc/sys. */
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
