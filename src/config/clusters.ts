import { resolve } from 'node:path';
import { quoted } from '../model/text.ts';
import type { NamedAccess } from './config.ts';
import { kindOf } from './document.ts';
import { path, word } from './format.ts';
import type { ReportProblem } from './pools.ts';
import { hint, meant } from './spelling.ts';

const keys = ['name', 'kubeconfig', 'context'];

/** As a label of DNS: it stands before a colon in the names of objects, and in the names of files. */
const namePattern = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/**
 * Reads the list of clusters. Problems go to `report`; invalid entries are left out.
 *
 * @param folder base of relative paths
 */
export function readClusters(raw: unknown, folder: string, report: ReportProblem): readonly NamedAccess[] {
  if (!Array.isArray(raw)) {
    const like = '"- { name: east, kubeconfig: /etc/eiproute/east.kubeconfig }"';
    report('clusters', `must be a list of clusters like ${like}, not ${kindOf(raw)}`);
    return [];
  }
  if (raw.length === 0)
    report('clusters', 'is an empty list; for one cluster without a name there is kubeconfig');
  const clusters: NamedAccess[] = [];
  raw.forEach((item: unknown, i) => {
    const key = `clusters[${i}]`;
    if (!(item instanceof Map)) {
      report(key, `must be a cluster with the keys name and kubeconfig, not ${kindOf(item)}`);
      return;
    }
    for (const name of item.keys())
      if (!keys.includes(name))
        report(`${key}.${name}`, `unknown key${hint(meant(String(name), keys))}`, 'key');
    const name = readName(item.get('name'), key, clusters, report);
    const kubeconfig = readText(item, 'kubeconfig', key, path, report);
    const context = readText(item, 'context', key, word, report);
    if (!item.has('kubeconfig')) report(key, 'has no kubeconfig: how to reach its Kubernetes API');
    const twin = clusters.find(
      (one) => one.context === context && one.kubeconfig === absolute(folder, kubeconfig),
    );
    if (twin !== undefined && kubeconfig !== undefined)
      report(
        `${key}.kubeconfig`,
        `is that of cluster ${twin.name}, with the same context: it would be one cluster twice`,
      );
    if (name !== undefined) clusters.push({ name, kubeconfig: absolute(folder, kubeconfig), context });
  });
  return clusters;
}

function absolute(folder: string, kubeconfig: string | undefined): string | undefined {
  return kubeconfig === undefined ? undefined : resolve(folder, kubeconfig);
}

function readName(
  value: unknown,
  key: string,
  earlier: readonly NamedAccess[],
  report: ReportProblem,
): string | undefined {
  if (value === undefined) {
    report(key, 'has no name; status, trace and metrics tell the clusters apart by it');
    return undefined;
  }
  if (typeof value !== 'string' || !namePattern.test(value)) {
    const said = typeof value === 'string' ? quoted(value) : kindOf(value);
    report(`${key}.name`, `must be of a-z, 0-9 and -, at most 63 of them, not ${said}`);
    return undefined;
  }
  if (earlier.some(({ name }) => name === value)) {
    report(`${key}.name`, `${quoted(value)} is already the name of another cluster`);
    return undefined;
  }
  return value;
}

function readText(
  item: ReadonlyMap<unknown, unknown>,
  name: string,
  key: string,
  format: typeof path,
  report: ReportProblem,
): string | undefined {
  const value = item.get(name);
  if (value === undefined) return undefined;
  try {
    return format.fromYaml(value);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    report(`${key}.${name}`, error.message);
    return undefined;
  }
}
