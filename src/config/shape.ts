import { type ConfigProblem, type Origin, originText } from './config-problem.ts';
import { kindOf, type Parsed, type Section, type Value } from './document.ts';
import type { Schema } from './schema.ts';
import { hint, meant } from './spelling.ts';

/** The known keys of a file by dotted path, with their positions. */
export interface FileLayer {
  readonly values: ReadonlyMap<string, Value>;
  readonly problems: readonly ConfigProblem[];
  /** Position of a key or of its value in the file. */
  origin(key: string, at: 'key' | 'value'): Origin;
}

/** Separates the known keys of a file from problems. It does not check the values of leaves. */
export function fileLayer(file: string, parsed: Parsed, { leaves, lists, shorthands }: Schema): FileLayer {
  const leafKeys = [...leaves.map(({ key }) => key), ...lists];
  const values = new Map<string, Value>();
  const problems: ConfigProblem[] = parsed.problems.map(({ at, key, what }) => ({
    origin: { kind: 'file', file, at },
    key,
    what,
  }));

  const origin = (key: string, at: 'key' | 'value'): Origin => {
    // A key without a position of its own (missing, or from a short form) has that of its section.
    for (let path = key; ; path = parentOf(path)) {
      const spot = parsed.spots.get(path);
      if (spot) return { kind: 'file', file, at: spot[at] };
      if (path === '') return { kind: 'file', file, at: undefined };
    }
  };
  const report = (key: string, what: string, at: 'key' | 'value'): void => {
    problems.push({ origin: origin(key, at), key, what });
  };

  function section(entries: Section, path: string): void {
    const near = childrenOf(path, leafKeys);
    for (const [name, value] of entries) {
      const key = path === '' ? name : `${path}.${name}`;
      if (!near.includes(name)) {
        report(key, `unknown key${hint(meant(name, near, leafKeys))}`, 'key');
      } else if (leafKeys.includes(key)) {
        leaf(key, value);
      } else {
        inner(key, value);
      }
    }
  }

  function leaf(key: string, value: Value): void {
    // convict would treat a Map as an empty object.
    if (value instanceof Map)
      report(key, `must be ${lists.includes(key) ? 'a list' : 'one value'}, not a section`, 'value');
    else if (value !== null) values.set(key, value);
    else if (!problems.some((one) => one.key === key)) {
      report(key, 'has no value; give one, or take the line out', 'key');
    }
  }

  function inner(key: string, value: Value): void {
    const short = shorthands.get(key);
    if (value instanceof Map) {
      if (value.size === 0) report(key, emptyWords(key, leafKeys), 'key');
      else if (short !== undefined && !value.has(short)) values.set(`${key}.${short}`, true);
      section(value, key);
    } else if (value === null) {
      report(key, emptyWords(key, leafKeys), 'key');
    } else if (short !== undefined && typeof value === 'boolean') {
      values.set(`${key}.${short}`, value);
    } else {
      const or = short === undefined ? '' : 'true, false, or ';
      report(key, `must be ${or}a section with ${keysOf(key, leafKeys)}, not ${kindOf(value)}`, 'value');
    }
  }

  section(parsed.root, '');
  return { values, problems, origin };
}

function emptyWords(key: string, leafKeys: readonly string[]): string {
  return `is empty; put ${keysOf(key, leafKeys)} below it, or take the line out`;
}

function keysOf(section: string, leafKeys: readonly string[]): string {
  const keys = childrenOf(section, leafKeys);
  return `${keys.length === 1 ? 'the key' : 'some of the keys'} ${keys.join(', ')}`;
}

/** The names one level below a section; '' is the file. */
function childrenOf(section: string, leafKeys: readonly string[]): readonly string[] {
  const start = section === '' ? '' : `${section}.`;
  const names = leafKeys
    .filter((key) => key.startsWith(start))
    .map((key) => key.slice(start.length).replace(/\..*/, ''));
  return [...new Set(names)];
}

function parentOf(key: string): string {
  return key.slice(0, Math.max(0, key.lastIndexOf('.'), key.lastIndexOf('[')));
}

/** For a message: the line of the file, or the variable or flag that says it. */
export function placeText(origin: Origin): string {
  return origin.kind === 'file' && origin.at ? `line ${origin.at.line}` : originText(origin);
}
