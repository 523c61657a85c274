import { writeSync } from 'node:fs';
import { ClusterLog, logLine } from '../../../src/cluster/cluster-log.ts';

// Writes records until it is killed: each goes to one of ten keys, and its number to the standard output as soon as the
// log has taken it.

const [, , file = ''] = process.argv;
const log = new ClusterLog(file, undefined);
const filler = 'x'.repeat(20_000);
const lines = new Map<string, string>();
await log.compact([]);
for (let number = 0; ; number += 1) {
  const key = `default/s${number % 10}`;
  const line = logLine('Service', key, [{ number, filler }]);
  lines.set(key, line);
  if (log.isLong) await log.compact(lines.values());
  else await log.append([line]);
  // Not process.stdout: while its reader is busy that keeps in memory what it was given, and the end takes it along.
  writeSync(1, `${number}\n`);
}
