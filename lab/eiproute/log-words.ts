import { fieldsOf } from '../../src/journal/entry.ts';

/** The end of a daemon's log as its journal would say it: `22:11:10.317  warn  FROZEN: no answer from the API`. */
export function logWords(lines: string): string {
  return lines.split('\n').map(lineWords).join('\n');
}

function lineWords(line: string): string {
  const record = recordOf(line);
  // What a program says before its log is open, or when it dies, is no record.
  if (record === undefined) return line;
  const { time, level } = record;
  const [, said = ''] = fieldsOf(record).find(([name]) => name === 'MESSAGE') ?? [];
  return `${new Date(String(time)).toISOString().slice(11, 23)}  ${String(level).padEnd(5)}  ${said}`;
}

function recordOf(line: string): Readonly<Record<string, unknown>> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line);
  } catch (error) {
    // The line was cut off.
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
