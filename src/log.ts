import { type Logger, pino, stdSerializers, stdTimeFunctions } from 'pino';
import { printable } from './model/text.ts';

/** `log.info({ facts }, 'few fixed words')`. One record is one line. */
export type Log = Logger;

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** auto: to journald under systemd, pretty on a terminal, JSON elsewhere. */
export type LogFormat = 'auto' | 'pretty' | 'json';

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** stderr: stdout is for the output of commands. */
  readonly stream: LogStream;
  /** For colours: none with NO_COLOR, none on a dumb terminal. */
  readonly env: { readonly NO_COLOR?: string | undefined; readonly TERM?: string | undefined };
  /** The sink to journald, when journald reads the stream; used under `auto`. */
  readonly journal?: Sink | undefined;
  /** Takes every record as well, whatever the format. */
  readonly recent?: Sink | undefined;
}

interface LogStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
}

export function createLog(options: LogOptions): Log {
  const { recent } = options;
  const write = sink(options);
  return pino(
    {
      level: options.level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: stdSerializers.err, error: stdSerializers.err, cause: stdSerializers.err },
    },
    {
      write: (line: string) => {
        write(line);
        recent?.(line);
      },
    },
  );
}

/** Takes pino's JSON line. Every record of the program passes here. */
type Sink = (line: string) => void;

function sink({ format, stream, env, journal }: LogOptions): Sink {
  if (format === 'auto' && journal) return journal;
  const terminal = stream.isTTY === true;
  if (format === 'json' || (format === 'auto' && !terminal)) return (line) => stream.write(line);
  const colours = terminal && !env.NO_COLOR && env.TERM !== 'dumb';
  const paint = colours ? (code: string, text: string) => `\u001b[${code}m${text}\u001b[0m` : plain;
  return (line) => stream.write(`${prettyLine(line, paint)}\n`);
}

type Paint = (code: string, text: string) => string;

function plain(_code: string, text: string): string {
  return text;
}

const codes: ReadonlyMap<string, string> = new Map([
  ['debug', '2'],
  ['info', '32'],
  ['warn', '33'],
  ['error', '31'],
  ['fatal', '1;31'],
]);

/** `09:46:12.345 info  round done=3 failed=0 ms=12`, in local time. */
function prettyLine(line: string, paint: Paint): string {
  const record: unknown = JSON.parse(line);
  if (typeof record !== 'object' || record === null) return line.trimEnd();
  const { time, level, msg, ...facts } = Object.assign({ time: '', level: '', msg: '' }, record);
  const words = [
    paint('2', clock(String(time))),
    paint(codes.get(String(level)) ?? '0', String(level).padEnd(5)),
    printable(String(msg)),
  ];
  for (const [key, value] of Object.entries(facts)) {
    // A problem is its own message, and is a fact as well, for programs.
    if (value !== msg) words.push(`${paint('2', `${printable(key)}=`)}${fact(value)}`);
  }
  return words.join(' ');
}

function clock(iso: string): string {
  const time = new Date(iso);
  const two = (count: number): string => String(count).padStart(2, '0');
  const ms = String(time.getMilliseconds()).padStart(3, '0');
  return `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}.${ms}`;
}

function fact(value: unknown): string {
  if (typeof value === 'string')
    return /^[\w.:/@%+,-]+$/.test(value) ? value : printable(JSON.stringify(value));
  // A serialised error by its message alone: the stack has many lines, and is in the JSON format.
  if (typeof value === 'object' && value !== null && 'stack' in value && 'message' in value) {
    return printable(JSON.stringify(value.message));
  }
  return printable(JSON.stringify(value));
}
