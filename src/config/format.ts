import type { ObjectName } from '../model/cluster.ts';
import type { Nat } from '../model/gateway.ts';
import { family, type Ip, type Prefix, parseIp, parsePrefix } from '../model/ip.ts';
import { quoted } from '../model/text.ts';
import type { ListenAddress } from './config.ts';
import { kindOf } from './document.ts';

/** Parser of a value. Both functions throw RangeError with the rest of the sentence "KEY ...". */
export interface Format<T> {
  /** From the environment, a flag, or a default. */
  fromText(text: string): T;
  /** From a YAML value: its type counts, `"86"` is not 86. */
  fromYaml(raw: unknown): T;
}

/**
 * A format of values that YAML holds as text.
 *
 * @param noun what the value must be, with article: `an interface name`
 */
function textFormat<T>(noun: string, fromText: (text: string) => T): Format<T> {
  return {
    fromText,
    fromYaml: (raw) => {
      if (typeof raw === 'string') return fromText(raw);
      const quotes = typeof raw === 'number' || typeof raw === 'boolean' ? '; put it in quotes' : '';
      throw new RangeError(`must be ${noun}, not ${kindOf(raw)}${quotes}`);
    },
  };
}

const trueWords = ['true', 'yes', 'on', '1'];
const falseWords = ['false', 'no', 'off', '0'];

export const truth: Format<boolean> = {
  fromText: (text) => {
    const word = text.toLowerCase();
    if (trueWords.includes(word)) return true;
    if (falseWords.includes(word)) return false;
    throw new RangeError(`must be true or false (yes, no, on, off, 1, 0), not ${quoted(text)}`);
  },
  fromYaml: (raw) => {
    if (typeof raw === 'boolean') return raw;
    // YAML 1.1 reads yes and on as true, 1.2 reads them as text: the message says so.
    throw new RangeError(`must be true or false, not ${shown(raw)}`);
  },
};

/** A whole number, both bounds included. */
export function whole(least: number, most: number): Format<number> {
  const noun = `a whole number from ${least} to ${most}`;
  const within = (value: number): number => {
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    throw new RangeError(`must be ${noun}, not ${value}`);
  };
  return numeric(noun, /^\d{1,15}$/, within);
}

/** A share: 0 to 1. */
export const share: Format<number> = numeric('a number from 0 to 1', /^\d(\.\d{1,9})?$/, (value) => {
  if (value >= 0 && value <= 1) return value;
  throw new RangeError(`must be a number from 0 to 1, not ${value}`);
});

function numeric(noun: string, shape: RegExp, within: (value: number) => number): Format<number> {
  return {
    fromText: (text) => {
      if (shape.test(text)) return within(Number(text));
      throw new RangeError(`must be ${noun}, not ${quoted(text)}`);
    },
    fromYaml: (raw) => {
      if (typeof raw === 'number') return within(raw);
      throw new RangeError(`must be ${noun}, not ${shown(raw)}`);
    },
  };
}

const units: readonly (readonly [unit: string, ms: number])[] = [
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
];

/**
 * A time in ms, written `250ms`, `2s`, `10m`, `1h`; both bounds included.
 *
 * @param grain ms of which the time must be a multiple
 */
export function duration(least: number, most: number, grain = 1): Format<number> {
  const bounds = `from ${durationText(least)} to ${durationText(most)}`;
  const fromText = (text: string): number => {
    const [, digits, unit] = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h)?$/.exec(text) ?? [];
    if (digits === undefined) {
      throw new RangeError(`must be a time like 250ms, 2s or 10m, not ${quoted(text)}`);
    }
    if (unit === undefined && Number(digits) !== 0) {
      throw new RangeError(`needs a unit: ${digits}ms, ${digits}s or ${digits}m?`);
    }
    const factor = units.find(([name]) => name === unit)?.[1] ?? 1;
    // 1.1 * 3600000 is not whole in binary, though 1.1h is whole in ms.
    const ms = Math.round(Number(digits) * factor * 1000) / 1000;
    if (ms < least || ms > most) throw new RangeError(`must be ${bounds}, not ${text}`);
    if (ms % grain !== 0) {
      throw new RangeError(`must be ${grainWords(grain)}, not ${text}`);
    }
    return ms;
  };
  return {
    fromText,
    fromYaml: (raw) => {
      if (typeof raw === 'string' || typeof raw === 'number') return fromText(String(raw));
      throw new RangeError(`must be a time like 250ms, 2s or 10m, not ${kindOf(raw)}`);
    },
  };
}

function grainWords(grain: number): string {
  if (grain === 1) return 'whole milliseconds';
  return grain === 1000 ? 'whole seconds' : `a multiple of ${grain}ms`;
}

/** In the largest unit that shows it whole: 90000 is `90s`, 60000 is `1m`. */
export function durationText(ms: number): string {
  const [unit, factor] = units.find(([, each]) => ms !== 0 && ms % each === 0) ?? ['s', 1000];
  return `${ms / factor}${unit}`;
}

/** One of a few words. */
export function choice<const T extends string>(words: readonly T[]): Format<T> {
  const noun = `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
  return textFormat(noun, (text) => {
    const word = words.find((one) => one === text);
    if (word === undefined) throw new RangeError(`must be ${noun}, not ${quoted(text)}`);
    return word;
  });
}

/** A file or folder, as written; the caller resolves it. Messages never show the value. */
export const path: Format<string> = textFormat('a path', (text) => {
  if (text === '') throw new RangeError('is empty; it must be a path');
  if (/[\n\r]/.test(text)) throw new RangeError('must be a path to a file, not the text of the file itself');
  if (text.includes('\0')) throw new RangeError('must be a path; it holds a NUL byte');
  if (text === '~' || text.startsWith('~/')) {
    throw new RangeError('begins with ~, which only a shell knows; write the whole path');
  }
  return text;
});

export const word: Format<string> = textFormat('text', (text) => {
  if (text.trim() === '') throw new RangeError('is empty');
  return text;
});

// Names that Linux accepts (dev_valid_name in net/core/dev.c), without `all` and `default`: conf/all and conf/default
// below /proc/sys/net are no interfaces.
/** A key in the data of a ConfigMap. */
export const dataKey: Format<string> = textFormat('a name', (text) => {
  if (/^[-._a-zA-Z0-9]{1,253}$/.test(text)) return text;
  throw new RangeError(`must be letters, digits, "-", "_" and ".", not ${quoted(text)}`);
});

export const interfaceName: Format<string> = textFormat('an interface name', (text) => {
  const refuse = (why: string): never => {
    throw new RangeError(`${quoted(text)} is no interface name: ${why}`);
  };
  if (text === '') throw new RangeError('is empty; it must be an interface name');
  if (Buffer.byteLength(text) > 15) refuse(`longer than Linux's 15 bytes`);
  if (/[/:\s]/.test(text)) refuse('Linux allows no slash, colon or blank');
  if (/\p{Cc}/u.test(text)) refuse('it holds a control character');
  if (text === '.' || text === '..' || text === 'all' || text === 'default') refuse('Linux reserves it');
  return text;
});

function objectIn(text: string): ObjectName | undefined {
  const [, namespace, name] = /^([a-z0-9][-a-z0-9]{0,62})\/([a-z0-9][-.a-z0-9]{0,252})$/.exec(text) ?? [];
  return namespace !== undefined && name !== undefined ? { namespace, name } : undefined;
}

/** An object in a namespace. */
export const objectName: Format<ObjectName> = textFormat('NAMESPACE/NAME', (text) => {
  const object = objectIn(text);
  if (object === undefined) throw new RangeError(`must be NAMESPACE/NAME, not ${quoted(text)}`);
  return object;
});

/** An object in a namespace, or false. */
export const objectOrFalse: Format<ObjectName | false> = {
  fromText: (text) => {
    if (falseWords.includes(text.toLowerCase())) return false;
    const object = objectIn(text);
    if (object !== undefined) return object;
    throw new RangeError(`must be NAMESPACE/NAME or false, not ${quoted(text)}`);
  },
  fromYaml: (raw) => {
    if (raw === false) return false;
    if (typeof raw === 'string' && raw.includes('/')) return objectOrFalse.fromText(raw);
    throw new RangeError(`must be NAMESPACE/NAME or false, not ${shown(raw)}`);
  },
};

/** Where to listen: an address, never a name, and a port. */
export const listenAddress: Format<ListenAddress> = textFormat('ADDRESS:PORT', (text) => {
  const [, v6, v4, digits = ''] = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = v6 ?? v4;
  if (host === undefined) {
    throw new RangeError(`must be ADDRESS:PORT, such as 127.0.0.1:9469 or [::1]:9469, not ${quoted(text)}`);
  }
  const port = Number(digits);
  if (port < 1 || port > 65_535) throw new RangeError(`has port ${digits}; there are 1 to 65535`);
  return { host: parseIp(host), port };
});

/** As {@link listenAddress} reads it. */
export function listenText({ host, port }: ListenAddress): string {
  return family(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}

/** One address, or a list of them (with commas in the environment). */
export const addresses: Format<readonly Ip[]> = {
  fromText: (text) => text.split(',').map((one) => address(one.trim())),
  fromYaml: (raw) => {
    if (typeof raw === 'string') return [address(raw)];
    if (!Array.isArray(raw)) throw new RangeError(`must be an address or a list of them, not ${kindOf(raw)}`);
    if (raw.length === 0) throw new RangeError('is an empty list; take the key out, or name an address');
    return raw.map((one) => {
      if (typeof one === 'string') return address(one);
      throw new RangeError(`must be addresses, not ${kindOf(one)}`);
    });
  },
};

/** One network, or a list of them (with commas in the environment). */
export const networks: Format<readonly Prefix[]> = {
  fromText: (text) => text.split(',').map((one) => parsePrefix(one.trim())),
  fromYaml: (raw) => {
    if (typeof raw === 'string') return [parsePrefix(raw)];
    if (!Array.isArray(raw)) throw new RangeError(`must be a network or a list of them, not ${kindOf(raw)}`);
    if (raw.length === 0) throw new RangeError('is an empty list; take the key out, or name a network');
    return raw.map((one) => {
      if (typeof one === 'string') return parsePrefix(one);
      throw new RangeError(`must be networks, not ${kindOf(one)}`);
    });
  },
};

/** What a node sees of a client. */
export const natSource: Format<Nat['source']> = {
  fromText: (text) => sourceWord(text) ?? sourceAddresses(() => addresses.fromText(text)),
  fromYaml: (raw) => sourceWord(raw) ?? sourceAddresses(() => addresses.fromYaml(raw)),
};

function sourceWord(raw: unknown): 'preserve' | 'masquerade' | undefined {
  return raw === 'preserve' || raw === 'masquerade' ? raw : undefined;
}

function sourceAddresses(read: () => readonly Ip[]): readonly Ip[] {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new RangeError(`must be preserve, masquerade or an address of the LAN: ${cause.message}`, {
      cause,
    });
  }
}

function shown(raw: unknown): string {
  return typeof raw === 'string' ? `the text ${quoted(raw)}` : kindOf(raw);
}

function address(text: string): Ip {
  if (text === '') throw new RangeError('is empty; it must be an address');
  return parseIp(text);
}
