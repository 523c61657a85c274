import { resolve } from 'node:path';
import type { Pace } from '../model/pace.ts';
import { type ConfigProblem, rank } from './config-problem.ts';
import { durationText } from './format.ts';
import type { Layers } from './layers.ts';
import type { Complain } from './pools.ts';
import { type Leaf, leaves } from './schema.ts';
import type { FileLayer } from './shape.ts';

/** Where relative paths start: the folder of the file, and the working folder. */
export interface Bases {
  readonly folder: string;
  readonly cwd: string;
}

/** Ways to read one key; what is wrong with it goes to the problems, and the answer is then of no use. */
export interface Readings {
  readonly complain: Complain;
  /** undefined: not set, and without a default. */
  optional<T>(leaf: Leaf<T>): T | undefined;
  /** For a key with a default. */
  preset<T>(leaf: Leaf<T>): T;
  required<T>(leaf: Leaf<T>): T | undefined;
  /** Absolute. */
  path(leaf: Leaf<string>): string | undefined;
}

export function readings(layer: FileLayer, layers: Layers, bases: Bases, errors: ConfigProblem[]): Readings {
  const complain: Complain = (key, what, at = 'value') => {
    const origin = layers.origin(key);
    errors.push({ origin: origin.kind === 'default' ? layer.origin(key, at) : origin, key, what });
  };

  function optional<T>(leaf: Leaf<T>): T | undefined {
    const raw = layers.raw(leaf.key);
    if (raw === null || raw === undefined) return undefined;
    const { kind } = layers.origin(leaf.key);
    try {
      return kind === 'file' ? leaf.format.fromYaml(raw) : leaf.format.fromText(String(raw));
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      complain(leaf.key, error.message);
      return undefined;
    }
  }

  function preset<T>(leaf: Leaf<T>): T {
    return optional(leaf) ?? leaf.format.fromText(leaf.preset ?? '');
  }

  function required<T>(leaf: Leaf<T>): T | undefined {
    const said = layers.origin(leaf.key).kind !== 'default';
    if (!said && !errors.some(({ key }) => key === leaf.key)) complain(leaf.key, `is missing: ${leaf.doc}`);
    return optional(leaf);
  }

  function path(leaf: Leaf<string>): string | undefined {
    const written = optional(leaf);
    if (written === undefined) return undefined;
    const origin = layers.origin(leaf.key);
    const systemd = origin.kind === 'environment' && origin.variable !== leaf.variable;
    // systemd gives all folders of StateDirectory=, with colons; the first is the one that is named first.
    const first = systemd ? written.replace(/:.*/, '') : written;
    return resolve(origin.kind === 'file' ? bases.folder : bases.cwd, first);
  }

  return { complain, optional, preset, required, path };
}

export function readPace(layers: Layers, preset: Readings['preset'], complain: Complain): Pace {
  const retryFirst = preset(leaves.retryFirst);
  const retryLongest = preset(leaves.retryLongest);
  if (retryLongest < retryFirst) {
    // Blame the one that somebody set.
    const first = rank(layers.origin(leaves.retryFirst.key)) > rank(layers.origin(leaves.retryLongest.key));
    if (first)
      complain(leaves.retryFirst.key, `is longer than pace.retryLongest (${durationText(retryLongest)})`);
    else complain(leaves.retryLongest.key, `is shorter than pace.retryFirst (${durationText(retryFirst)})`);
  }
  return { settle: preset(leaves.settle), resync: preset(leaves.resync), retryFirst, retryLongest };
}
