import type { World } from '../../lab/fake/memory-world.ts';
import type { Node, Service } from '../../src/model/cluster.ts';
import type { Gateway } from '../../src/model/gateway.ts';
import { RecomputedDesire } from '../../src/reconcile/recomputed.ts';
import type { Role } from '../../src/reconcile/reconciler.ts';
import type { Report } from '../../src/reconcile/report.ts';
import { late } from '../patience.ts';
import { gateway, router, Scene, snapshot } from '../scene.ts';

/**
 * A gateway on a router in memory. Of the golden sessions only this file knows how the reconciler is called.
 *
 * What the sessions change is read by the next round.
 */
export class GoldenGateway {
  readonly world: World = router();
  readonly nodes = new Map<string, Node>();
  readonly services = new Map<string, Service>();
  complete = true;
  settings: Gateway = gateway();
  readonly #ledger = new Map<string, string>();
  /** Keys of Services that a list lacks, and 'nodes', since the last round. */
  readonly #lacked = new Set<string>();
  #scene = this.#newScene();

  /** @param refresh 'dump' as after a hint of the kernel */
  async round(refresh: 'dump' | 'cached'): Promise<Report> {
    this.#scene.cluster = snapshot([...this.nodes.values()], [...this.services.values()], {
      complete: this.complete,
    });
    this.#scene.settings = this.settings;
    const report = await this.#scene.round(refresh === 'dump' ? 'route' : 'cluster');
    this.#lacked.clear();
    return report;
  }

  /** @param kind 'node' or 'service' */
  delete(kind: string, name: string): void {
    const from = kind === 'node' ? this.nodes : this.services;
    if (!from.delete(name)) throw new Error(`no ${kind} ${name}`);
  }

  /** As {@link delete}, but it is only missing from a list. */
  listWithout(kind: string, name: string): void {
    this.delete(kind, name);
    this.#lacked.add(kind === 'node' ? 'nodes' : `default/${name}`);
  }

  /** `eiproute purge`: a round whose desire is empty. */
  async purge(): Promise<Report> {
    const { kernel, reconciler } = this.#scene;
    kernel.forget();
    const role: Role = {
      scope: { ...this.#scene.role.scope, sysctls: [] },
      limits: { share: 1, window: 0, always: Number.POSITIVE_INFINITY, hold: 0 },
      desire: new RecomputedDesire(() => ({ objects: [], problems: [], complete: true })),
    };
    const reasons = [{ kind: 'operator', text: 'purge' }] as const;
    return await reconciler.round(role, reasons, 'dump', late());
  }

  /** `eiproute drain`, `eiproute undrain` */
  drain(how: 'drain' | 'undrain'): void {
    this.#scene.isDraining = how === 'drain';
  }

  /** `eiproute release` */
  release(): void {
    this.#scene.reconciler.agree();
  }

  /** The daemon ends and another one starts; the kernel and the state directory are as they were. */
  restart(): void {
    const { now } = this.#scene;
    this.#scene = this.#newScene();
    this.#scene.now = now;
  }

  #newScene(): Scene {
    const scene = new Scene(snapshot([], []), this.settings, this.world, this.#ledger);
    scene.role.originOf = (key) => (this.#lacked.has(key) ? 'list' : 'event');
    return scene;
  }

  wait(ms: number): void {
    this.#scene.now += ms;
  }

  /** What the last round did, as a shell session. */
  transcript(): readonly string[] {
    return this.#scene.kernel.transcript();
  }
}
