import type { Cluster } from '../cluster/cluster.ts';
import { fileCluster } from '../cluster/file.ts';
import { type KubernetesCluster, kubernetesCluster } from '../cluster/kubernetes.ts';
import type { Source } from '../config/config.ts';

/** A cluster, and what only a real one has. */
export type SourceCluster = Cluster &
  Partial<Pick<KubernetesCluster, 'writer' | 'server' | 'recoveries' | 'credentialsEnd'>>;

export function openSource(source: Source): SourceCluster {
  return source.kind === 'file' ? fileCluster(source.path) : kubernetesCluster(source);
}
