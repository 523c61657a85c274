import { fstatSync } from 'node:fs';
import { type Datagrams, openDatagrams } from './datagram.ts';
import { encodeEntry, fieldsOf } from './entry.ts';
import type { Facts } from './facts.ts';

/** Takes a line of pino's JSON. */
export type JournalSink = (line: string) => void;

const journald = '/run/systemd/journal/socket';

/** ms that one record may hold the program up when journald does not read. */
const patience = 1000;

/**
 * The way to journald, when this process' stderr is already its stream.
 *
 * @param env systemd says in JOURNAL_STREAM which device and inode its stream has
 * @returns undefined elsewhere: on a terminal, in a file, in a pipe that something else put there
 */
export function journalSink(env: { readonly JOURNAL_STREAM?: string | undefined }): JournalSink | undefined {
  const stream = env.JOURNAL_STREAM;
  if (stream === undefined) return undefined;
  const { dev, ino } = fstatSync(2, { bigint: true });
  return stream === `${dev}:${ino}` ? sinkTo(openDatagrams(journald, patience)) : undefined;
}

/** A record that is lost is counted, and the count is told as soon as something can be told again. */
export function sinkTo(datagrams: Datagrams): JournalSink {
  let lost = 0;
  let why = '';
  const send = (record: Facts): boolean => {
    const error = datagrams.send(encodeEntry(fieldsOf(record)));
    if (error === undefined) return true;
    why = error;
    return false;
  };
  return (line) => {
    const record: unknown = JSON.parse(line);
    if (typeof record !== 'object' || record === null) throw new TypeError(`no record: ${line}`);
    if (lost > 0 && send({ level: 'warn', event: 'records-lost', msg: 'records lost', lost, error: why }))
      lost = 0;
    if (!send(Object.fromEntries(Object.entries(record)))) lost += 1;
  };
}
