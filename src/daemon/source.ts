import { join } from 'node:path';
import type { Cluster } from '../cluster/cluster.ts';
import { unionOf } from '../cluster/clusters.ts';
import { fileCluster } from '../cluster/file.ts';
import type { KubernetesAccess } from '../cluster/kubeconfig-files.ts';
import { type KubernetesCluster, kubernetesCluster } from '../cluster/kubernetes.ts';
import type { Source } from '../config/config.ts';

/** A cluster, and what only a real one has. */
export type SourceCluster = Cluster &
  Partial<Pick<KubernetesCluster, 'writer' | 'server' | 'recoveries' | 'credentialsEnd'>>;

/** One cluster of a source. */
export interface OneSource {
  /** undefined: it is the only one */
  readonly name: string | undefined;
  /** undefined: it is read from a file */
  readonly access: KubernetesAccess | undefined;
  open(): SourceCluster;
}

/** The clusters of a source: one, or those that it names. */
export function sourcesOf(source: Source): readonly OneSource[] {
  switch (source.kind) {
    case 'file':
      return [{ name: undefined, access: undefined, open: () => fileCluster(source.path) }];
    case 'kubernetes':
      return [{ name: undefined, access: source, open: () => kubernetesCluster(source) }];
    case 'clusters':
      return source.clusters.map((access) => ({
        name: access.name,
        access,
        open: () => kubernetesCluster(access),
      }));
    default:
      return source satisfies never;
  }
}

/** The cluster of a source; of several, all as one. */
export function openSource(source: Source): Cluster {
  const parts = sourcesOf(source).map(({ name, open }) => [name, open()] as const);
  const [first] = parts;
  if (first !== undefined && first[0] === undefined) return first[1];
  return unionOf(
    new Map(parts.flatMap(([name, part]) => (name === undefined ? [] : [[name, part] as const]))),
  );
}

/** The file with the last known state of a cluster. */
export function rememberedFile(stateDirectory: string, name: string | undefined): string {
  return join(stateDirectory, name === undefined ? 'cluster.json' : `cluster-${name}.json`);
}
