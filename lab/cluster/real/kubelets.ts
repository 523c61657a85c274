import { setTimeout as sleep } from 'node:timers/promises';
import type { Network, Pod } from '../../network/network.ts';
import { at, type JsonObject, listAt, textAt } from '../api/json.ts';
import { type ApiClient, ApiRefusal } from '../api-client.ts';
import type { ObjectFeed } from '../cluster.ts';
import { resourcePath } from '../resource-path.ts';

export interface KubeletPlan {
  /** ms that a pod goes on serving after it was told to end. */
  readonly shutdown: number;
}

/**
 * Scheduler and kubelets, played: every Pod that a controller makes gets a node, a namespace with a server in it, and the
 * status that a kubelet would write; it ends as it would there. Pods that the lab makes itself are left alone.
 */
export class Kubelets implements AsyncDisposable {
  readonly #network: Network;
  readonly #client: ApiClient;
  readonly #plan: KubeletPlan;
  readonly #unlisten: () => void;
  readonly #stop = new AbortController();
  /** What goes on for each Pod, by its UID. */
  readonly #work = new Map<string, Promise<void>>();
  readonly #running = new Map<string, Pod>();
  readonly #ending = new Set<string>();
  #count = 0;
  #failure: unknown;

  constructor(network: Network, client: ApiClient, feed: ObjectFeed, plan: KubeletPlan) {
    this.#network = network;
    this.#client = client;
    this.#plan = plan;
    this.#unlisten = feed.listen(({ object }) => this.#hear(object));
    for (const pod of feed.list('Pod')) this.#hear(pod);
  }

  /** The pods that run now. */
  get running(): readonly Pod[] {
    return [...this.#running.values()];
  }

  /** @throws Error what a kubelet could not do */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#unlisten();
    this.#stop.abort();
    await Promise.all(this.#work.values());
    if (this.#failure !== undefined) throw this.#failure;
  }

  #hear(object: JsonObject): void {
    if (textAt(object, 'kind') !== 'Pod' || listAt(object, 'metadata', 'ownerReferences').length === 0)
      return;
    const uid = textAt(object, 'metadata', 'uid');
    if (at(object, 'metadata', 'deletionTimestamp') !== undefined) {
      if (!this.#ending.has(uid)) {
        this.#ending.add(uid);
        this.#follow(uid, () => this.#end(uid, object));
      }
    } else if (!this.#work.has(uid)) this.#follow(uid, () => this.#begin(uid, object));
  }

  /** The steps of a Pod one after the other. */
  #follow(uid: string, step: () => Promise<void>): void {
    const before = this.#work.get(uid) ?? Promise.resolve();
    this.#work.set(
      uid,
      before.then(step).catch((error) => {
        // 404 and 409: the Pod was deleted meanwhile.
        if (error instanceof ApiRefusal && (error.status === 404 || error.status === 409)) return;
        if (!this.#stop.signal.aborted) this.#failure ??= error;
      }),
    );
  }

  async #begin(uid: string, object: JsonObject): Promise<void> {
    const ref = { kind: 'Pod', name: textAt(object, 'metadata', 'name') };
    const node = this.#nodeFor(object);
    if (textAt(object, 'spec', 'nodeName') === '') {
      await this.#client.send('POST', `${resourcePath(ref)}/binding`, {
        apiVersion: 'v1',
        kind: 'Binding',
        metadata: { name: ref.name },
        target: { kind: 'Node', name: node },
      });
    }
    this.#count += 1;
    // The name of a pod is that of its cable as well, which Linux wants short.
    const pod = await this.#network.addPod(`pod-${this.#count}`, node);
    this.#running.set(uid, pod);
    await this.#client.patch(ref, runningStatus(pod), 'status');
  }

  /** It serves on for a while: then its server ends, and the kubelet confirms that it is gone. */
  async #end(uid: string, object: JsonObject): Promise<void> {
    await sleep(this.#plan.shutdown, undefined, { signal: this.#stop.signal });
    const pod = this.#running.get(uid);
    if (pod !== undefined) await this.#network.removePod(pod.name);
    this.#running.delete(uid);
    await this.#client.delete({ kind: 'Pod', name: textAt(object, 'metadata', 'name') }, { graceSeconds: 0 });
  }

  /** The node that a DaemonSet wants its Pod on; else the one that has the fewest. */
  #nodeFor(object: JsonObject): string {
    const terms = listAt(
      object,
      'spec',
      'affinity',
      'nodeAffinity',
      'requiredDuringSchedulingIgnoredDuringExecution',
      'nodeSelectorTerms',
    );
    const wanted = terms
      .flatMap((term) => listAt(term, 'matchFields'))
      .flatMap((field) => listAt(field, 'values'))[0];
    if (typeof wanted === 'string') return wanted;
    const count = (name: string): number => this.running.filter(({ node }) => node === name).length;
    const [first = ''] = [...this.#network.nodes].sort((a, b) => count(a) - count(b));
    return first;
  }
}

/** The status of a Pod whose containers are ready. */
export function runningStatus({ ip }: Pick<Pod, 'ip'>, isReady = true): JsonObject {
  const status = isReady ? 'True' : 'False';
  return {
    status: {
      phase: 'Running',
      podIP: ip.v4,
      podIPs: [{ ip: ip.v4 }, { ip: ip.v6 }],
      conditions: ['Ready', 'ContainersReady'].map((type) => ({ type, status })),
    },
  };
}
