import { open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { makeFolder } from '../folder.ts';
import { sysctlName } from '../model/iproute.ts';
import type { Problem } from '../model/problem.ts';
import { someNames } from '../model/some-names.ts';

const version = 1;

/** Former values that one message names: all of a gateway with four interfaces, as no other place has them. */
const mostNamed = 40;

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
 * Only `purge` needs its values, so neither a damaged file nor one that cannot be written keeps a gateway from
 * forwarding. A damaged one is read as an empty ledger, reported as a problem, and moved aside by the first write. What
 * cannot be written is kept in memory, reported with the values, and written by a later {@link save}.
 */
export class Ledger {
  readonly #file: string;
  readonly #former: Map<string, string>;
  readonly #written: Map<string, string>;
  /** Names whose former value is in the file. */
  #saved: ReadonlySet<string>;
  /** Why the last write failed. */
  #failure: string | undefined;
  #damage: Damage | undefined;

  private constructor(file: string, { former, written }: LedgerContent, damage: Damage | undefined) {
    this.#file = file;
    this.#former = former;
    this.#written = written;
    this.#saved = new Set(former.keys());
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

  /** The damage of the file, reported until a restart, and what could not be written, until it is. */
  get problems(): readonly Problem[] {
    return [...this.#damageProblems(), ...this.#failureProblems()];
  }

  /** Former values, by the path below /proc/sys. */
  get former(): ReadonlyMap<string, string> {
    return this.#former;
  }

  /** The values that the kernel showed after we wrote; a name may lack where a file is older, or a write was cut off. */
  get written(): ReadonlyMap<string, string> {
    return this.#written;
  }

  /** Keeps former values; they are on disk when this resolves, where it can be written. A value in the ledger is older and stays. */
  async remember(values: ReadonlyMap<string, string>): Promise<void> {
    const missing = [...values].filter(([name]) => !this.#former.has(name));
    if (missing.length === 0) return;
    for (const [name, value] of missing) this.#former.set(name, value);
    await this.#write();
  }

  /** Keeps what the kernel shows after our own writes, of the values that are remembered. */
  async wrote(values: ReadonlyMap<string, string>): Promise<void> {
    const fresh = [...values].filter(
      ([name, value]) => this.#former.has(name) && this.#written.get(name) !== value,
    );
    if (fresh.length === 0) return;
    for (const [name, value] of fresh) this.#written.set(name, value);
    await this.#write();
  }

  async forget(names: ReadonlySet<string>): Promise<void> {
    const known = [...names].filter((name) => this.#former.delete(name));
    if (known.length === 0) return;
    for (const name of known) this.#written.delete(name);
    await this.#write();
  }

  /** Writes what could not be written before. */
  async save(): Promise<void> {
    if (this.#failure !== undefined) await this.#write();
  }

  #damageProblems(): readonly Problem[] {
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

  #failureProblems(): readonly Problem[] {
    if (this.#failure === undefined) return [];
    const unsaved = sortedItems(this.#former).filter(([name]) => !this.#saved.has(name));
    const values = unsaved.map(([name, value]) => `${sysctlName(name)} = ${value}`);
    const lost =
      values.length === 0
        ? 'the file does not have the last change of a setting'
        : `the settings are made all the same; a restart loses what they were before: ${someNames(values, mostNamed)}`;
    return [
      {
        code: 'sysctl-ledger-not-saved',
        severity: 'warn',
        subject: this.#file,
        message: `the ledger of sysctls ${this.#file} cannot be written: ${this.#failure}; ${lost}`,
        advice:
          'check space and permissions of stateDirectory (df): it is written at the next look at the kernel then; only a purge needs it',
      },
    ];
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

  async #write(): Promise<void> {
    const names = new Set(this.#former.keys());
    const content = {
      version,
      sysctls: sorted(this.#former),
      ...(this.#written.size === 0 ? {} : { written: sorted(this.#written) }),
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
      this.#saved = names;
      // Without this the rename is lost with the power.
      await using directory = await open(folder, 'r');
      await directory.sync();
      this.#failure = undefined;
    } catch (error) {
      if (errorCode(error) === undefined) throw error;
      this.#failure = words(error);
    }
  }
}

function sorted(values: ReadonlyMap<string, string>): Readonly<Record<string, string>> {
  return Object.fromEntries(sortedItems(values));
}

function sortedItems(
  values: ReadonlyMap<string, string>,
): readonly (readonly [name: string, value: string])[] {
  return [...values].sort(([a], [b]) => (a < b ? -1 : 1));
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

function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}

function words(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
