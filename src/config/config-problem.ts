/** The source of a value. */
export type Origin =
  | { readonly kind: 'default' }
  /** Without a position: the file as a whole. */
  | { readonly kind: 'file'; readonly file: string; readonly at: Position | undefined }
  | { readonly kind: 'environment'; readonly variable: string }
  | { readonly kind: 'flag'; readonly flag: string };

/** Both from 1; a column counts UTF-16 units, as editors do. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A problem with one key, in words for a person. */
export interface ConfigProblem {
  readonly origin: Origin;
  /** `pools[0].addresses[1]`; empty when it is about the whole file. */
  readonly key: string;
  readonly what: string;
}

export function originText(origin: Origin): string {
  switch (origin.kind) {
    case 'default':
      return 'default';
    case 'file':
      return origin.at === undefined ? origin.file : `${origin.file}:${origin.at.line}:${origin.at.column}`;
    case 'environment':
      return origin.variable;
    case 'flag':
      return origin.flag;
    default:
      return origin satisfies never;
  }
}

/** One line: `FILE:12:5 log.levle: unknown key (did you mean "level"?)`. */
export function problemLine({ origin, key, what }: ConfigProblem): string {
  return key === '' ? `${originText(origin)}: ${what}` : `${originText(origin)} ${key}: ${what}`;
}

/** The order in which a person reads: down the file, then environment, then flags. */
export function compareProblems(a: ConfigProblem, b: ConfigProblem): number {
  return (
    rank(a.origin) - rank(b.origin) ||
    line(a.origin) - line(b.origin) ||
    column(a.origin) - column(b.origin) ||
    compareText(originText(a.origin), originText(b.origin)) ||
    compareText(a.key, b.key)
  );
}

/** Precedence of a source: default 0, file 1, environment 2, flag 3. */
export function rank(origin: Origin): number {
  return ['default', 'file', 'environment', 'flag'].indexOf(origin.kind);
}

function line(origin: Origin): number {
  return origin.kind === 'file' ? (origin.at?.line ?? 0) : 0;
}

function column(origin: Origin): number {
  return origin.kind === 'file' ? (origin.at?.column ?? 0) : 0;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
