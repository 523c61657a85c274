import type { Texts } from '../model/cluster.ts';
import { openTerms, type PoolTerms } from '../model/pool.ts';
import { quoted } from '../model/text.ts';
import { kindOf } from './document.ts';
import { type Format, truth, whole } from './format.ts';
import type { ReportProblem } from './pools.ts';

/** The keys of a pool besides its name and addresses; see docs/configuration.md. */
export const termKeys: readonly string[] = [
  'autoAssign',
  'avoidBuggyIPs',
  'priority',
  'namespaces',
  'serviceSelector',
  'enforce',
  'nodeAddresses',
];

const priority = whole(0, 1_000_000);

/** @returns undefined when the pool has none of these keys */
export function readTerms(
  pool: ReadonlyMap<unknown, unknown>,
  key: string,
  report: ReportProblem,
): PoolTerms | undefined {
  if (!termKeys.some((name) => pool.has(name))) return undefined;
  const value = <T>(name: string, format: Format<T>): T | undefined => {
    if (!pool.has(name)) return undefined;
    return read(() => format.fromYaml(pool.get(name)), `${key}.${name}`, report);
  };
  return {
    autoAssign: value('autoAssign', truth) ?? openTerms.autoAssign,
    avoidBuggyIps: value('avoidBuggyIPs', truth) ?? openTerms.avoidBuggyIps,
    priority: value('priority', priority),
    namespaces: value('namespaces', namespaces) ?? openTerms.namespaces,
    serviceSelector: value('serviceSelector', labels) ?? openTerms.serviceSelector,
    enforce: value('enforce', truth) ?? openTerms.enforce,
    nodeAddresses: value('nodeAddresses', truth) ?? openTerms.nodeAddresses,
  };
}

function read<T>(value: () => T, key: string, report: ReportProblem): T | undefined {
  try {
    return value();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    report(key, error.message);
    return undefined;
  }
}

const namespaces: Format<readonly string[]> = yamlOnly((raw) => {
  if (!Array.isArray(raw)) throw new RangeError(`must be a list of namespaces, not ${kindOf(raw)}`);
  // An empty list would match everything, which is probably a mistake.
  if (raw.length === 0) throw new RangeError('is an empty list; take the key out to let all namespaces in');
  const names = raw.map((name: unknown) => {
    if (typeof name !== 'string') throw new RangeError(`must be names of namespaces, not ${kindOf(name)}`);
    if (!/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name)) {
      throw new RangeError(`${quoted(name)} is no name that a namespace can have`);
    }
    return name;
  });
  return [...new Set(names)].sort();
});

const labels: Format<Texts> = yamlOnly((raw) => {
  if (!(raw instanceof Map)) {
    throw new RangeError(`must be labels like { tier: public }, not ${kindOf(raw)}`);
  }
  if (raw.size === 0) throw new RangeError('is empty; take the key out to let all Services in');
  const entries = [...raw].map(([name, value]: [unknown, unknown]): [string, string] => {
    if (typeof value === 'string') return [String(name), value];
    throw new RangeError(`the value of label ${quoted(String(name))} must be text; put it in quotes`);
  });
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
});

/** Pools are in the file alone. */
function yamlOnly<T>(fromYaml: (raw: unknown) => T): Format<T> {
  return { fromYaml, fromText: fromYaml };
}
