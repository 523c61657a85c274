import { constants } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import type { Sysctl } from '../model/object.ts';
import type { Problem } from '../model/problem.ts';
import { KernelError } from './kernel.ts';
import { isSysctlName, type Ledger } from './ledger.ts';

const root = '/proc/sys';

/**
 * A sysctl that Linux changes along with another: ip_forward also writes accept_redirects, which is therefore
 * restored after ip_forward.
 */
export const companions: ReadonlyMap<string, string> = new Map([
  ['net/ipv4/ip_forward', 'net/ipv4/conf/all/accept_redirects'],
]);

/** A change of a sysctl, with its index among all changes. */
export interface SysctlChange {
  readonly index: number;
  readonly sysctl: Sysctl;
}

/** Changes sysctls and keeps the ledger of their former values. */
export class Sysctls {
  readonly #ledger: Ledger;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  get former(): ReadonlyMap<string, string> {
    return this.#ledger.former;
  }

  /** What the kernel showed after our own writes. */
  get written(): ReadonlyMap<string, string> {
    return this.#ledger.written;
  }

  get problems(): readonly Problem[] {
    return this.#ledger.problems;
  }

  /**
   * Current values of these sysctls and of those in the ledger; missing sysctls are left out. A ledger that could not
   * be written is written now, where that is possible again.
   *
   * @throws KernelError
   */
  async list(names: readonly string[]): Promise<readonly Sysctl[]> {
    await this.#ledger.save();
    const silent = new Set(companions.values());
    const changed = [...this.#ledger.former.keys()].filter((name) => !silent.has(name));
    const all = [...new Set([...names, ...changed])];
    const values = await Promise.all(all.map(readSysctl));
    return all.flatMap((name, i) => {
      const value = values[i];
      return value === undefined ? [] : [{ kind: 'sysctl', name, value }];
    });
  }

  /** Writes values. The former value is in the ledger before the first write of a sysctl, and on disk where that can be written. */
  async set(changes: readonly SysctlChange[], outcomes: (KernelError | undefined)[]): Promise<void> {
    const fresh = new Map<string, string>();
    for (const { index, sysctl } of changes) {
      if (this.#ledger.former.has(sysctl.name)) continue;
      try {
        for (const name of [sysctl.name, companions.get(sysctl.name)]) {
          const value = name === undefined ? undefined : await readSysctl(name);
          if (name !== undefined && value !== undefined) fresh.set(name, value);
        }
      } catch (error) {
        outcomes[index] = kernelError(error);
      }
    }
    // Without room on the disk the former values are kept in memory, and told: only a purge needs them, and a gateway
    // that does not forward is an outage.
    await this.#ledger.remember(fresh);
    const unchanged = new Set<string>();
    for (const { index, sysctl } of changes) {
      if (outcomes[index]) continue;
      outcomes[index] = await attempt(() => writeSysctl(sysctl.name, sysctl.value));
      if (outcomes[index] && fresh.has(sysctl.name)) unchanged.add(sysctl.name);
    }
    // A sysctl that was not changed needs no former value; it does no harm if it stays in the ledger.
    await this.#ledger.forget(unchanged);
    // A value that is not known as ours is put back all the same.
    await attempt(async () => {
      const names = changes.filter(({ index }) => !outcomes[index]).map(({ sysctl }) => sysctl.name);
      await this.#ledger.wrote(await this.#present(names));
    });
  }

  /** Writes the former values back and removes them from the ledger. */
  async restore(changes: readonly SysctlChange[], outcomes: (KernelError | undefined)[]): Promise<void> {
    const restored: SysctlChange[] = [];
    for (const change of changes) {
      const { name } = change.sysctl;
      const former = this.#ledger.former.get(name);
      const outcome =
        former === undefined
          ? new KernelError('ENOENT', `${name} is not in the ledger: its former value is not known`)
          : await attempt(() => this.#restoreOne(name, former));
      outcomes[change.index] = outcome;
      // ENOENT: the interface is gone, and its sysctls with it.
      if (outcome === undefined || outcome.code === 'ENOENT') restored.push(change);
    }
    const done = restored.flatMap(({ sysctl: { name } }) => [name, companions.get(name) ?? name]);
    await this.#ledger.forget(new Set(done));
  }

  /** The values of these and of what Linux changes along with them. */
  async #present(names: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const present = new Map<string, string>();
    for (const name of names) {
      for (const one of [name, companions.get(name)]) {
        const value = one === undefined ? undefined : await readSysctl(one);
        if (one !== undefined && value !== undefined) present.set(one, value);
      }
    }
    return present;
  }

  async #restoreOne(name: string, former: string): Promise<void> {
    const companion = companions.get(name);
    const present = companion === undefined ? undefined : await readSysctl(companion);
    await writeSysctl(name, former);
    if (companion === undefined || present === undefined) return;
    const written = this.#ledger.written.get(companion);
    // Linux has changed it once more just now; what another program had set since is put back as it was.
    const isOurs = written === undefined || written === present;
    const value = isOurs ? this.#ledger.former.get(companion) : present;
    if (value !== undefined) await writeSysctl(companion, value);
  }
}

async function attempt(work: () => Promise<void>): Promise<KernelError | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    return kernelError(error);
  }
}

/** An error of a change is returned, any other error is thrown. */
function kernelError(error: unknown): KernelError {
  if (error instanceof KernelError) return error;
  throw error;
}

/**
 * @param name the path below /proc/sys
 * @returns the value, white space folded to single blanks; undefined when there is no such sysctl
 * @throws KernelError
 */
export async function readSysctl(name: string): Promise<string | undefined> {
  try {
    return fold(await readFile(pathOf(name), 'utf8'));
  } catch (cause) {
    const error = sysctlError(name, 'read', cause);
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** @throws KernelError with words for a person */
export async function writeSysctl(name: string, value: string): Promise<void> {
  try {
    // Without O_CREAT and O_TRUNC: sysctl files cannot be created.
    await using file = await open(pathOf(name), constants.O_WRONLY);
    await file.write(`${value}\n`);
  } catch (cause) {
    throw sysctlError(name, 'write', cause);
  }
}

/** Folds white space: /proc/sys separates the numbers of one setting by tabs. */
function fold(text: string): string {
  return text.trim().replace(/\s+/g, ' ');
}

function pathOf(name: string): string {
  if (!isSysctlName(name)) throw new RangeError(`"${name}" is no path below ${root}`);
  return `${root}/${name}`;
}

/** The error with its reason and what to do. */
export function sysctlError(name: string, verb: 'read' | 'write', cause: unknown): KernelError {
  if (!(cause instanceof Error && 'code' in cause && typeof cause.code === 'string')) throw cause;
  return new KernelError(cause.code, `cannot ${verb} ${root}/${name}: ${reason(name, cause.code)}`, {
    cause,
  });
}

function reason(name: string, code: string): string {
  switch (code) {
    case 'ENOENT': {
      const link = /^net\/ipv[46]\/(?:conf|neigh)\/([^/]+)\/[^/]+$/.exec(name)?.[1];
      return link === undefined ? 'this kernel has no such setting' : `there is no interface ${link}`;
    }
    case 'EROFS':
      return 'read-only file system; with systemd, ReadWritePaths=/proc/sys/net allows it';
    case 'EACCES':
    case 'EPERM':
      return 'not allowed; it needs CAP_NET_ADMIN';
    case 'EINVAL':
      return 'the kernel does not take this value';
    default:
      return 'the kernel refused';
  }
}
