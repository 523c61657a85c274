import { lstatSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { GatewayConfig, NodeConfig } from './config.ts';
import { type ConfigProblem, compareProblems, type Origin } from './config-problem.ts';
import { parseDocument } from './document.ts';
import { type Environment, type Flag, type Layers, mergeLayers } from './layers.ts';
import { notation } from './notation.ts';
import type { Written } from './readings.ts';
import type { Schema } from './schema.ts';
import { fileLayer } from './shape.ts';

export interface LoadRequest {
  /** As the person wrote it: messages show this name. */
  readonly file: string;
  readonly env: Environment;
  readonly flags: readonly Flag[];
  /** Base of relative paths in the environment and in flags; paths in the file are relative to its folder. */
  readonly cwd: string;
}

export type LoadResult<Config = GatewayConfig> =
  | {
      readonly kind: 'loaded';
      readonly config: Config;
      /** The source of each value, by dotted key; keys without a value are left out. */
      readonly origins: ReadonlyMap<string, Origin>;
      readonly warnings: readonly ConfigProblem[];
    }
  /** All problems, in the order of the file; not empty. */
  | Refusal;

interface Refusal {
  readonly kind: 'refused';
  readonly errors: readonly ConfigProblem[];
}

/** Reads every value. The result is valid only without errors. */
type Assemble<Config> = (written: Written) => Config;

/** @param read gets the file's bytes */
export function loadFile<T>(
  request: LoadRequest,
  read: (bytes: Uint8Array, request: LoadRequest) => T,
): T | Refusal {
  const { file } = request;
  const unreadable = (why: string): Refusal => {
    const what = `cannot be read: ${why}`;
    return { kind: 'refused', errors: [{ origin: { kind: 'file', file, at: undefined }, key: '', what }] };
  };
  let bytes: Buffer;
  try {
    const path = resolve(request.cwd, file);
    // To open a FIFO blocks until a program writes to it. That of a shell's <(...) is behind a link, and has a writer.
    if (lstatSync(path).isFIFO()) return unreadable('it is a named pipe (FIFO); name a file');
    bytes = readFileSync(path);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    return unreadable(readWords(String(error.code)));
  }
  return read(bytes, request);
}

/** The part that is the same for both kinds of file. */
export function readConfig<Config extends GatewayConfig | NodeConfig>(
  bytes: Uint8Array,
  { file, env, flags, cwd }: LoadRequest,
  schema: Schema,
  assemble: Assemble<Config>,
): LoadResult<Config> {
  const refused = (errors: readonly ConfigProblem[]): Refusal => ({ kind: 'refused', errors });
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    // TextDecoder reports no position.
    return refused([{ origin: { kind: 'file', file, at: undefined }, key: '', what: 'is not UTF-8 text' }]);
  }
  const parsed = parseDocument(text);
  const layer = fileLayer(file, parsed, schema);
  // The keys of a file with broken syntax are unknown.
  if (parsed.root.size === 0 && layer.problems.length > 0) return refused(layer.problems);
  const layers = mergeLayers(layer, env, flags, schema);
  const errors: ConfigProblem[] = [...layer.problems];
  const warnings: ConfigProblem[] = [...layers.warnings];
  const bases = { folder: dirname(resolve(cwd, file)), cwd };
  const config = assemble({ layer, layers, bases, errors, warnings });
  if (errors.length > 0) return refused(errors.sort(compareProblems));
  return {
    kind: 'loaded',
    config,
    origins: originsOf(config, layers),
    warnings: warnings.sort(compareProblems),
  };
}

function originsOf(config: GatewayConfig | NodeConfig, layers: Layers): ReadonlyMap<string, Origin> {
  return new Map(notation(config).map(([key]) => [key, layers.origin(key)]));
}

/** Why, and what to do where that is not plain. */
function readWords(code: string): string {
  switch (code) {
    case 'ENOENT':
      return `there is no such file (${code}); name yours with --config FILE, or write it there`;
    case 'EACCES':
    case 'EPERM':
      return `this user may not read it (${code})`;
    case 'EISDIR':
      return `it is a directory (${code})`;
    default:
      return `the system refused (${code})`;
  }
}
