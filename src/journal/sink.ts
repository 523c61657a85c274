import { fstatSync } from 'node:fs';
import { type Datagrams, openDatagrams } from './datagram.ts';
import { encodeEntry, fieldsOf } from './entry.ts';
import type { Facts } from './facts.ts';

/** Takes a line of pino's JSON. */
export type JournalSink = (line: string) => void;

const journald = '/run/systemd/journal/socket';

/** ms to wait for journald to read a record */
const patience = 1000;

/**
 * Sends records to journald, when journald already reads the stderr of this process.
 *
 * @param env JOURNAL_STREAM holds device and inode of the stream to journald
 * @returns undefined when stderr is something else: a terminal, a file, another pipe
 */
export function journalSink(env: { readonly JOURNAL_STREAM?: string | undefined }): JournalSink | undefined {
  const stream = env.JOURNAL_STREAM;
  if (stream === undefined) return undefined;
  const { dev, ino } = fstatSync(2, { bigint: true });
  return stream === `${dev}:${ino}` ? sinkTo(openDatagrams(journald, patience)) : undefined;
}

/** Counts lost records, and reports their number with the next record that can be sent. */
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
