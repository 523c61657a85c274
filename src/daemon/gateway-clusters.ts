import type { Cluster } from '../cluster/cluster.ts';
import { partOf, unionOf } from '../cluster/clusters.ts';
import type { ConfigMapPort } from '../cluster/config-map.ts';
import type { KubernetesAccess } from '../cluster/kubeconfig-files.ts';
import type { KubernetesCluster } from '../cluster/kubernetes.ts';
import { kubernetesConfigMap } from '../cluster/kubernetes-config-map.ts';
import { type RememberedCluster, remembered } from '../cluster/remembered.ts';
import type { Source } from '../config/config.ts';
import type { Delta, ObjectName } from '../model/cluster.ts';
import { rememberedFile, type SourceCluster, sourcesOf } from './source.ts';

/** A cluster of a gateway. */
export interface GatewayCluster {
  /** undefined: it is the only one */
  readonly name: string | undefined;
  /** undefined: it is read from a file */
  readonly access: KubernetesAccess | undefined;
  readonly source: SourceCluster;
  /** With its last known state. */
  readonly cluster: RememberedCluster;
}

export interface GatewayClustersOptions {
  readonly source: Source;
  readonly stateDirectory: string;
  /** Whether a round has judged the lists of a cluster, and the guard doubts none; see `RememberedOptions`. */
  readonly believed: (name: string | undefined) => boolean;
}

/** The clusters of a gateway: each with its reflectors and its own memory, and all of them as one. */
export class GatewayClusters implements AsyncDisposable {
  readonly each: readonly GatewayCluster[];
  /** All of them. */
  readonly cluster: Cluster;

  constructor({ source, stateDirectory, believed }: GatewayClustersOptions) {
    this.each = sourcesOf(source).map(({ name, access, open }) => {
      const opened = open();
      const cluster = remembered(opened, rememberedFile(stateDirectory, name), {
        believed: () => believed(name),
        // What is listed of one cluster must not take an EIP that another one has, which is not listed yet.
        reads: name === undefined ? 'when needed' : 'at once',
        ...(name === undefined ? {} : { name }),
      });
      return { name, access, source: opened, cluster };
    });
    const [only] = this.each;
    this.cluster =
      only !== undefined && only.name === undefined
        ? only.cluster
        : unionOf(new Map(this.each.map(({ name = '', cluster }) => [name, cluster] as const)));
  }

  /** The names of the clusters whose lists are all in. */
  listed(): ReadonlySet<string | undefined> {
    const { complete, clusters } = this.cluster.overview();
    if (clusters === undefined) return new Set(complete ? [undefined] : []);
    return new Set(clusters.filter((one) => one.complete).map(({ name }) => name));
  }

  /** By the name of the cluster; undefined: what is read from a file cannot be written. */
  writers(): ReadonlyMap<string | undefined, KubernetesCluster['writer']> | undefined {
    const found = this.each.flatMap(({ name, source: { writer } }) =>
      writer ? [[name, writer] as const] : [],
    );
    return found.length === 0 ? undefined : new Map(found);
  }

  /** The ConfigMap of this name in each cluster that has an API; to be disposed of by the caller. */
  configMaps(of: ObjectName): readonly { readonly name: string | undefined; readonly port: ConfigMapPort }[] {
    return this.each.flatMap(({ name, access }) =>
      access === undefined ? [] : [{ name, port: kubernetesConfigMap(access, of) }],
    );
  }

  /** Saves these changes now; see `RememberedCluster`. */
  async save(delta: Delta): Promise<void> {
    await Promise.all(
      this.each.map(({ name, cluster }) => cluster.save(name === undefined ? delta : partOf(delta, name))),
    );
  }

  /** When the first credentials end, in ms since the epoch; undefined: they do not say. */
  credentialsEnd(): number | undefined {
    const ends = this.each.flatMap(({ source }) => source.credentialsEnd?.() ?? []);
    return ends.length === 0 ? undefined : Math.min(...ends);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cluster[Symbol.asyncDispose]();
  }
}
