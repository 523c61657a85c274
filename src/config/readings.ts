import { resolve } from 'node:path';
import type { Pool } from '../model/gateway.ts';
import type { Pace } from '../model/pace.ts';
import { type ConfigProblem, rank } from './config-problem.ts';
import { durationText } from './format.ts';
import type { Layers } from './layers.ts';
import type { ReportProblem } from './pools.ts';
import { type Leaf, leaves } from './schema.ts';
import type { FileLayer } from './shape.ts';

/** Bases of relative paths: the folder of the file, and the working folder. */
export interface Bases {
  readonly folder: string;
  readonly cwd: string;
}

/** A configuration as it is written, and the problems of its values as they are found. */
export interface Written {
  readonly layer: FileLayer;
  readonly layers: Layers;
  readonly bases: Bases;
  readonly errors: ConfigProblem[];
  readonly warnings: ConfigProblem[];
}

/** Readers of one key. Problems are collected; a result is valid only without one. */
export interface Readings {
  readonly report: ReportProblem;
  /** undefined: not set, and without a default. */
  optional<T>(leaf: Leaf<T>): T | undefined;
  /** For a key with a default. */
  preset<T>(leaf: Leaf<T>): T;
  required<T>(leaf: Leaf<T>): T | undefined;
  /** Absolute. */
  path(leaf: Leaf<string>): string | undefined;
}

/** What the keys of NAT and of announcements depend on, beside themselves. */
export interface Surroundings {
  readonly lan: string;
  readonly uplink: string;
  readonly pools: readonly Pool[];
  readonly hashSeed: number | undefined;
  readonly warnings: ConfigProblem[];
}

export function readings({ layer, layers, bases, errors }: Written): Readings {
  const report: ReportProblem = (key, what, at = 'value') => {
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
      report(leaf.key, error.message);
      return undefined;
    }
  }

  function preset<T>(leaf: Leaf<T>): T {
    return optional(leaf) ?? leaf.format.fromText(leaf.preset ?? '');
  }

  function required<T>(leaf: Leaf<T>): T | undefined {
    const said = layers.origin(leaf.key).kind !== 'default';
    if (!said && !errors.some(({ key }) => key === leaf.key)) report(leaf.key, `is missing: ${leaf.doc}`);
    return optional(leaf);
  }

  function path(leaf: Leaf<string>): string | undefined {
    const written = optional(leaf);
    if (written === undefined) return undefined;
    const origin = layers.origin(leaf.key);
    const systemd = origin.kind === 'environment' && origin.variable !== leaf.variable;
    // systemd sets all folders of StateDirectory=, separated by colons, in their order; the first one is used.
    const first = systemd ? written.replace(/:.*/, '') : written;
    return resolve(origin.kind === 'file' ? bases.folder : bases.cwd, first);
  }

  return { report, optional, preset, required, path };
}

export function readPace(layers: Layers, preset: Readings['preset'], report: ReportProblem): Pace {
  const retryFirst = preset(leaves.retryFirst);
  const retryLongest = preset(leaves.retryLongest);
  if (retryLongest < retryFirst) {
    // Report the key that was set.
    const first = rank(layers.origin(leaves.retryFirst.key)) > rank(layers.origin(leaves.retryLongest.key));
    if (first)
      report(leaves.retryFirst.key, `is longer than pace.retryLongest (${durationText(retryLongest)})`);
    else report(leaves.retryLongest.key, `is shorter than pace.retryFirst (${durationText(retryFirst)})`);
  }
  return { settle: preset(leaves.settle), resync: preset(leaves.resync), retryFirst, retryLongest };
}
