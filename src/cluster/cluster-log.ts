import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { makeFolder } from '../folder.ts';

// File format: a header, then one record per line: CRC-32 of the JSON, a space, the JSON. The last record of a key is
// valid; a record without objects deletes its key.
//
//   eiproute-cluster-log 2
//   5c1d9f03 ["Service","default/web",[{"kind":"Service",...},{"kind":"EndpointSlice",...}]]
//   91b4ee10 ["Service","default/web"]

const title = 'eiproute-cluster-log';
const version = '2';
const header = `${title} ${version}\n`;
const newline = 10;
const comma = 44;

export type LoggedKind = 'Node' | 'Service';

/** The content of a log file. */
export interface LogContent {
  /** The API objects of each Node and Service. They are parsed while they are iterated, which can be done once. */
  readonly objects: Iterable<unknown>;
  /** Bytes up to the end of the last valid record. */
  readonly length: number;
  /** Number of invalid lines, except the last one, which a killed process may have cut off. */
  readonly damaged: number;
}

/** The text is not a log, or a log of another version. */
export class LogError extends Error {
  override readonly name = 'LogError';
}

export function isLog(text: Buffer | string): boolean {
  return text.indexOf(`${title} `) === 0;
}

/** @throws LogError */
export function readLog(text: Buffer): LogContent {
  const steps = readingLog(text);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** Bytes that are checked in one go: less than a millisecond. */
const checked = 256 * 1024;

/**
 * The same in portions: each `next()` does one.
 *
 * @throws LogError
 */
export function* readingLog(text: Buffer): Generator<void, LogContent> {
  const end = text.indexOf(newline);
  const first = text.toString('utf8', 0, end < 0 ? Math.min(text.length, 80) : end);
  if (`${first}\n` !== header || end < 0) {
    throw new LogError(`it begins with ${JSON.stringify(first)}, not with "${title} ${version}"`);
  }
  /** Where the last record of each key begins. */
  const records = new Map<string, number>();
  let length = end + 1;
  let damaged = 0;
  let pause = length + checked;
  for (let start = length; start < text.length; ) {
    const next = text.indexOf(newline, start);
    const record = next < 0 ? undefined : headOf(text.subarray(start, next));
    if (record !== undefined) {
      if (record.deletes) records.delete(record.key);
      else records.set(record.key, start);
      length = next + 1;
    } else if (next >= 0 && next + 1 < text.length) damaged += 1;
    start = next < 0 ? text.length : next + 1;
    if (start < pause) continue;
    pause = start + checked;
    yield;
  }
  return { objects: objectsAt(records.values(), text), length, damaged };
}

function* objectsAt(starts: Iterable<number>, text: Buffer): Generator<unknown> {
  for (const start of starts) {
    // A line with a valid checksum was written by logLine, so it is valid JSON.
    const record: unknown = JSON.parse(text.toString('utf8', start + 9, text.indexOf(newline, start)));
    const objects: unknown = Array.isArray(record) ? record[2] : undefined;
    if (Array.isArray(objects)) yield* objects;
  }
}

/** @returns undefined: the line is no valid record */
function headOf(line: Buffer): { key: string; deletes: boolean } | undefined {
  const json = line.subarray(9);
  if (line.toString('latin1', 0, 9) !== `${checksum(json)} `) return undefined;
  // ["Service","default/web",[...  Names have no comma.
  const objects = json.indexOf(comma, json.indexOf(comma) + 1);
  if (objects < 0) return { key: json.toString('latin1', 0, json.length - 1), deletes: true };
  return { key: json.toString('latin1', 0, objects), deletes: false };
}

/** @param objects API objects; undefined: the record deletes the key */
export function logLine(kind: LoggedKind, key: string, objects: readonly object[] | undefined): string {
  const json = JSON.stringify(objects === undefined ? [kind, key] : [kind, key, objects]);
  return `${checksum(json)} ${json}\n`;
}

function checksum(json: Buffer | string): string {
  return crc32(json).toString(16).padStart(8, '0');
}

/** Bytes; a smaller log is never compacted. */
const small = 256 * 1024;

/**
 * The writing side of a log file. Calls must not overlap. After a failed call the file may end in half a record, so the
 * log is closed until the next {@link compact}.
 */
export class ClusterLog {
  readonly #file: string;
  #handle: FileHandle | undefined;
  /** Valid length of an existing log that is not open yet. */
  #found: number | undefined;
  #size = 0;
  #compacted = 0;
  #synced = true;

  /** @param found the valid length, from {@link readLog}; undefined: the file is not a log */
  constructor(file: string, found: number | undefined) {
    this.#file = file;
    this.#found = found;
  }

  /** Whether {@link append} has a log to add to. */
  get isOpen(): boolean {
    return this.#handle !== undefined || this.#found !== undefined;
  }

  /** Whether the log should be compacted: it is more than twice as long as after the last compaction. */
  get isLong(): boolean {
    return this.#size > 2 * this.#compacted + small;
  }

  /** Appends records. They survive a crash of the process at once, and of the machine after {@link sync}. */
  async append(lines: Iterable<string>): Promise<void> {
    await this.#careful(async () => {
      const handle = this.#handle ?? (await this.#continue());
      this.#synced = false;
      this.#size += await writePortions(handle, lines);
    });
  }

  async sync(): Promise<void> {
    if (this.#synced) return;
    await this.#careful(async () => {
      await this.#handle?.datasync();
      this.#synced = true;
    });
  }

  /** Replaces the file by these records. A crash leaves either the old file or the new one. */
  async compact(lines: Iterable<string>): Promise<void> {
    await this.#careful(async () => {
      makeFolder(dirname(this.#file));
      const draft = `${this.#file}.new`;
      const handle = await open(draft, 'w', 0o600);
      try {
        this.#size = await writePortions(handle, lines, header);
        await handle.sync();
        await rename(draft, this.#file);
      } catch (error) {
        await handle.close();
        await rm(draft, { force: true });
        throw error;
      }
      await this.#handle?.close();
      this.#handle = handle;
      this.#found = undefined;
      this.#compacted = this.#size;
      this.#synced = true;
      await syncFolder(dirname(this.#file));
    });
  }

  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    this.#found = undefined;
    await handle?.close();
  }

  async #continue(): Promise<FileHandle> {
    const handle = await open(this.#file, 'a', 0o600);
    this.#handle = handle;
    // A new record after half a record would be invalid as well.
    await handle.truncate(this.#found);
    this.#size = this.#found ?? 0;
    return handle;
  }

  async #careful(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      await this.close();
      throw error;
    }
  }
}

/** Writes in portions of about a millisecond, and yields to the event loop between them. */
async function writePortions(handle: FileHandle, lines: Iterable<string>, header = ''): Promise<number> {
  let size = 0;
  let portion = header;
  const write = async (): Promise<void> => {
    const text = Buffer.from(portion);
    portion = '';
    size += text.length;
    await handle.appendFile(text);
  };
  for (const line of lines) {
    portion += line;
    if (portion.length < 128 * 1024) continue;
    await write();
    await turn();
  }
  if (portion !== '') await write();
  return size;
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
