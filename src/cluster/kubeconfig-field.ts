import { type Document, isNode, LineCounter, parseAllDocuments } from 'yaml';
import { CredentialsError } from './transport.ts';

/** What to do about a kubeconfig that is wrong, where nothing better is known. */
export const compareAdvice = 'compare it with a kubeconfig that kubectl accepts';

/**
 * A place in a kubeconfig. Reading a value of the wrong kind throws a {@link CredentialsError} with the line and the
 * column; a value is never part of the message, since it may be a secret.
 */
export class KubeconfigField {
  /** Where the text comes from. */
  readonly file: string;
  readonly #document: Document;
  readonly #lines: LineCounter;
  readonly #path: readonly (string | number)[];
  readonly #value: unknown;

  private constructor(
    file: string,
    document: Document,
    lines: LineCounter,
    path: readonly (string | number)[],
    value: unknown,
  ) {
    this.file = file;
    this.#document = document;
    this.#lines = lines;
    this.#path = path;
    this.#value = value;
  }

  /**
   * The whole of a kubeconfig.
   *
   * @throws CredentialsError when it is not one YAML document
   */
  static parse(file: string, text: string): KubeconfigField {
    const lines = new LineCounter();
    const parsed = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, logLevel: 'silent' });
    const [document, second] = 'empty' in parsed ? [] : parsed;
    if (document === undefined) throw wrong(file, 'it is empty', compareAdvice);
    const at = (offset: number): string => {
      const { line, col } = lines.linePos(offset);
      return `${file}:${line}:${col}`;
    };
    const [error] = document.errors;
    if (error !== undefined) {
      const [what = ''] = error.message.split('\n');
      throw wrong(at(error.pos[0]), `it is not YAML: ${what}`, compareAdvice, error);
    }
    if (second !== undefined) {
      throw wrong(at(second.range[0]), 'a second YAML document begins here', compareAdvice);
    }
    let value: unknown;
    try {
      value = document.toJS({ maxAliasCount: 100 });
    } catch (cause) {
      if (!(cause instanceof Error)) throw cause;
      throw wrong(file, `it is not YAML: ${cause.message}`, compareAdvice, cause);
    }
    return new KubeconfigField(file, document, lines, [], value);
  }

  get exists(): boolean {
    return this.#value !== undefined && this.#value !== null;
  }

  /** For what is handed on as it is. */
  get value(): unknown {
    return this.#value;
  }

  get(key: string): KubeconfigField {
    const value = this.#value;
    if (value === undefined || value === null) return this.#inner(key, undefined);
    if (typeof value !== 'object' || Array.isArray(value)) throw this.wrong('must be a section of keys');
    return this.#inner(key, Object.entries(value).find(([name]) => name === key)?.[1]);
  }

  /** The items of a list; none where there is no list. */
  items(): readonly KubeconfigField[] {
    const value = this.#value;
    if (value === undefined || value === null) return [];
    if (!Array.isArray(value)) throw this.wrong('must be a list');
    return value.map((item: unknown, i) => this.#inner(i, item));
  }

  /** undefined where there is none, or an empty one: Go writes a string that is not set as "". */
  text(): string | undefined {
    const value = this.#value;
    if (value === undefined || value === null || value === '') return undefined;
    if (typeof value === 'string') return value;
    const found = typeof value === 'object' ? 'something else' : `a ${typeof value}; put it in quotes`;
    throw this.wrong(`must be text, not ${found}`);
  }

  required(): string {
    const text = this.text();
    if (text === undefined) throw this.wrong('is missing');
    return text;
  }

  flag(): boolean {
    const value = this.#value;
    if (value === undefined || value === null) return false;
    if (typeof value === 'boolean') return value;
    throw this.wrong('must be true or false');
  }

  /** What base64 text stands for. */
  bytes(): Buffer | undefined {
    const text = this.text()?.replace(/\s+/g, '');
    if (text === undefined) return undefined;
    if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(text)) throw this.wrong('is not base64');
    return Buffer.from(text, 'base64');
  }

  /** An error about this field, to be thrown. */
  wrong(what: string, advice = compareAdvice): CredentialsError {
    return wrong(this.#spot(), `${this.#name()} ${what}`, advice);
  }

  #inner(key: string | number, value: unknown): KubeconfigField {
    return new KubeconfigField(this.file, this.#document, this.#lines, [...this.#path, key], value);
  }

  /** `users[0].user.token` */
  #name(): string {
    const name = this.#path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${key}`)).join('');
    return name === '' ? 'it' : name.replace(/^\./, '');
  }

  /** `FILE:12:5`: of the field, or of the section that lacks it. What an alias stands for is elsewhere. */
  #spot(): string {
    for (let end = this.#path.length; end >= 0; end -= 1) {
      const node = this.#document.getIn(this.#path.slice(0, end), true);
      if (!isNode(node) || !node.range) continue;
      const { line, col } = this.#lines.linePos(node.range[0]);
      return `${this.file}:${Math.max(1, line)}:${Math.max(1, col)}`;
    }
    return this.file;
  }
}

function wrong(where: string, what: string, advice: string, cause?: Error): CredentialsError {
  return new CredentialsError(`kubeconfig ${where} cannot be used: ${what}`, advice, cause && { cause });
}
