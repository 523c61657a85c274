import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseAllDocuments } from 'yaml';
import type { Position } from './config-problem.ts';

/** A YAML value. A section is a Map, so that no key can touch a prototype. */
export type Value = string | number | boolean | null | readonly Value[] | Section;
export interface Section extends ReadonlyMap<string, Value> {}

/** The positions of a key and its value. */
interface Spot {
  readonly key: Position;
  readonly value: Position;
}

export interface Parsed {
  readonly root: Section;
  /** By path: `pools[0].addresses[1]`; the file itself is ''. */
  readonly spots: ReadonlyMap<string, Spot>;
  readonly problems: readonly SyntaxProblem[];
}

interface SyntaxProblem {
  readonly at: Position;
  /** '' when it is about the file. */
  readonly key: string;
  readonly what: string;
}

// Aliases can unfold a small file into a huge tree.
const mostValues = 100_000;
const deepest = 16;
const start: Position = { line: 1, column: 1 };

/** Reads one YAML document. Only the first syntax error is reported: the others usually follow from it. */
export function parseDocument(text: string): Parsed {
  const lines = new LineCounter();
  // Duplicate keys are checked below, where the line of the first one is known.
  const parsed = parseAllDocuments(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: false,
    logLevel: 'silent',
  });
  const [document, second] = 'empty' in parsed ? [] : parsed;
  const at = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const spots = new Map<string, Spot>([['', { key: start, value: start }]]);
  const stop = (where: Position, what: string): Parsed => ({
    root: new Map(),
    spots,
    problems: [{ at: where, key: '', what }],
  });

  const broken = document?.errors[0] ?? document?.warnings[0];
  if (broken) return stop(at(broken.pos[0]), syntaxWords(broken.code, broken.message));
  if (second) {
    return stop(at(second.range[0]), 'a second YAML document begins here; one file holds one configuration');
  }
  if (document === undefined || document.contents === null) return { root: new Map(), spots, problems: [] };

  const problems: SyntaxProblem[] = [];
  let values = 0;

  /** @param alias position of the alias that led here: its anchor is elsewhere in the file */
  function walk(node: Node | null, path: string, key: Position, depth: number, alias?: Position): Value {
    const where = alias ?? (node?.range ? at(node.range[0]) : key);
    const outer = isAlias(node) ? where : alias;
    const found = isAlias(node) && document ? node.resolve(document) : node;
    if (isAlias(node) && found === undefined) {
      problems.push({ at: where, key: path, what: `there is no anchor &${node.source} before this` });
    }
    spots.set(path, { key, value: where });
    values += 1;
    if (values > mostValues) throw new Overgrown(where, `unfolds to more than ${mostValues} values`);
    if (depth > deepest) throw new Overgrown(where, `is nested more than ${deepest} levels deep`);
    if (isSeq(found)) {
      return found.items.map((item, i) => walk(asNode(item), `${path}[${i}]`, where, depth + 1, outer));
    }
    if (isMap(found)) return section(found.items, path, where, depth, outer);
    if (isScalar(found)) return scalar(found.value);
    return null;
  }

  function section(
    pairs: readonly { key: unknown; value: unknown }[],
    path: string,
    where: Position,
    depth: number,
    alias: Position | undefined,
  ): Section {
    const entries = new Map<string, Value>();
    const seen = new Map<string, Position>();
    for (const pair of pairs) {
      const head = asNode(pair.key)?.range;
      const spot = alias ?? (head ? at(head[0]) : where);
      if (!isScalar(pair.key)) {
        problems.push({ at: spot, key: path, what: 'a key must be a single word' });
        continue;
      }
      const name = String(pair.key.value);
      const inner = path === '' ? name : `${path}.${name}`;
      const earlier = seen.get(name);
      if (earlier) {
        problems.push({
          at: spot,
          key: inner,
          what: `is here twice; the first one is in line ${earlier.line}`,
        });
        continue;
      }
      seen.set(name, spot);
      entries.set(name, walk(asNode(pair.value), inner, spot, depth + 1, alias));
    }
    return entries;
  }

  try {
    const root = walk(document.contents, '', start, 0);
    // YAML's null: a file of comments only.
    if (root === null) return { root: new Map(), spots, problems };
    if (root instanceof Map) return { root, spots, problems };
    return stop(start, `must be keys with values, like "lan: eth0", not ${kindOf(root)}`);
  } catch (error) {
    if (error instanceof Overgrown) return stop(error.at, error.message);
    throw error;
  }
}

/** The kind of a value, for a message: `text`, `a number`, `a list`. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (value instanceof Map) return 'a section';
  if (Array.isArray(value)) return 'a list';
  switch (typeof value) {
    case 'string':
      return 'text';
    case 'number':
      return 'a number';
    case 'boolean':
      return String(value);
    default:
      return 'a value of another kind';
  }
}

class Overgrown extends Error {
  override readonly name = 'Overgrown';
  readonly at: Position;
  constructor(at: Position, message: string) {
    super(message);
    this.at = at;
  }
}

function asNode(item: unknown): Node | null {
  return isAlias(item) || isMap(item) || isSeq(item) || isScalar(item) ? item : null;
}

function scalar(value: unknown): Value {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : null;
}

function syntaxWords(code: string, message: string): string {
  switch (code) {
    case 'TAB_AS_INDENT':
      return 'is indented with a tab; YAML allows only spaces';
    default: {
      const first = message.split('\n')[0] ?? code;
      return `is not YAML: ${first.charAt(0).toLowerCase()}${first.slice(1)}`;
    }
  }
}
