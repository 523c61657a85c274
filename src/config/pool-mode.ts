import type { Mode } from '../model/gateway.ts';
import { choice } from './format.ts';
import type { ReportProblem } from './pools.ts';

const mode = choice(['routed', 'nat']);

/** The key of a pool that says how packets get to a node; see docs/configuration.md. */
export const modeKeys: readonly string[] = ['mode'];

/** @returns undefined when the pool has none */
export function readMode(
  pool: ReadonlyMap<unknown, unknown>,
  poolKey: string,
  report: ReportProblem,
): Mode | undefined {
  if (!pool.has('mode')) return undefined;
  try {
    return mode.fromYaml(pool.get('mode'));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    report(`${poolKey}.mode`, error.message);
    return undefined;
  }
}
