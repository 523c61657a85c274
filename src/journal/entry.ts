import { constants } from 'node:os';
import { type Event, events, isEventName } from './event.ts';
import { type Facts, values, worded } from './facts.ts';

/** A field of the journal; a name may come more than once. */
export type Field = readonly [name: string, value: string];

const priorities: ReadonlyMap<unknown, number> = new Map([
  ['debug', 7],
  ['info', 6],
  ['warn', 4],
  ['error', 3],
  ['fatal', 2],
]);

/** Fields without the prefix of the program, for searches. */
const known: ReadonlyMap<string, string> = new Map([['eip', 'EIP']]);

/** Limit for one field. */
const longest = 16_384;

/**
 * The fields that journald stores of one record.
 *
 * @param record pino's, parsed
 */
export function fieldsOf(record: Facts): readonly Field[] {
  const { level, time: _, msg, event: name, ...facts } = record;
  const event: Event | undefined = isEventName(name) ? events[name] : undefined;
  const fields: [string, string][] = [
    ['MESSAGE', message(event, worded(msg), facts)],
    ['PRIORITY', String(event?.priority ?? priorities.get(level) ?? 6)],
    ['SYSLOG_IDENTIFIER', 'eiproute'],
  ];
  if (event) fields.push(['MESSAGE_ID', event.id], ['EIPROUTE_EVENT', worded(name)]);
  for (const [key, fact] of Object.entries(facts)) {
    const field = known.get(key) ?? `EIPROUTE_${upper(key)}`;
    for (const value of values(fact)) fields.push([field, value.slice(0, longest)]);
    const errno = key === 'code' ? errnoOf(fact) : undefined;
    if (errno !== undefined) fields.push(['ERRNO', String(errno)]);
  }
  return fields;
}

/**
 * The bytes of an entry in journald's native protocol: `NAME=value` lines, and where a value has lines of its
 * own, its length in front of it.
 */
export function encodeEntry(fields: readonly Field[]): Uint8Array {
  const parts: Buffer[] = [];
  for (const [name, value] of fields) {
    if (!value.includes('\n')) {
      parts.push(Buffer.from(`${name}=${value}\n`));
      continue;
    }
    const body = Buffer.from(value);
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(body.length));
    parts.push(Buffer.from(`${name}\n`), length, body, Buffer.from('\n'));
  }
  return Buffer.concat(parts);
}

function message(event: Event | undefined, words: string, facts: Facts): string {
  const sentence = event ? event.say(facts) : plain(words, facts);
  const { times, seconds } = facts;
  const repeats = times === undefined ? '' : ` (${worded(times)} times in ${worded(seconds)} s)`;
  // One line each: a name with a line break must not look like another record.
  return `${sentence}${repeats}`.replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ').slice(0, longest);
}

function plain(words: string, facts: Facts): string {
  const worded = Object.entries(facts).map(([key, fact]) => `${key} ${wordedShort(fact)}`);
  return worded.length === 0 ? words : `${words}: ${worded.join(', ')}`;
}

/** A serialised error by its message alone; the rest is in its field. */
function wordedShort(fact: unknown): string {
  return typeof fact === 'object' && fact !== null && 'stack' in fact && 'message' in fact
    ? worded(fact.message)
    : worded(fact);
}

/** `lastHeard` -> `LAST_HEARD`; journald takes letters, digits and underscores. */
function upper(key: string): string {
  return key
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/[^A-Za-z0-9]+/g, '_')
    .toUpperCase()
    .slice(0, 50);
}

/** The number for journald's field ERRNO; undefined for a text that names no errno. */
function errnoOf(code: unknown): number | undefined {
  return Object.entries(constants.errno).find(([name]) => name === code)?.[1];
}
