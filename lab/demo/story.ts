import { Eiproute } from '../eiproute/eiproute.ts';
import { type Lab, type LabKind, openLab } from '../lab.ts';
import { Witness } from '../load/witness.ts';
import { removeLeftovers } from '../network/lab-run.ts';
import { now } from '../process/clock.ts';
import { addressGiven } from './address-given.ts';
import { apiStops, daemonDies, handDisturbs, purged } from './disturbances.ts';
import { keepLogs } from './kept-logs.ts';
import { duration, type Page } from './page.ts';
import { playScene, type SceneResult } from './play.ts';
import { endpointsMove, nodeGoes, serviceAppears } from './scenes.ts';
import { settings } from './settings.ts';
import type { Scene, Stage } from './stage.ts';

/** What `eiproute demo --json` prints. */
export interface StoryResult {
  readonly version: 1;
  readonly ok: boolean;
  /** Why no scene was played; undefined: they were. */
  readonly trouble: string | undefined;
  /** The control plane: played, or Kubernetes' own. */
  readonly cluster: LabKind['cluster'];
  readonly ms: number;
  /** Until the network was up, and until eiproute was ready in it. */
  readonly laidMs: number;
  readonly readyMs: number;
  readonly scenes: readonly SceneResult[];
}

const scenes: readonly Scene[] = [
  serviceAppears,
  addressGiven,
  endpointsMove,
  nodeGoes,
  handDisturbs,
  apiStops,
  daemonDies,
  purged,
];

/**
 * Lays the network, plays the scenes, and takes everything down again, also when aborted.
 *
 * @param kind of control plane and of kube-proxies
 * @param linger what to do with the network before it is taken down; the last scene, which ends the daemon,
 *   is then not played
 */
export async function playStory(
  page: Page,
  kind: LabKind,
  signal: AbortSignal,
  linger?: (stage: Stage, signal: AbortSignal) => Promise<void>,
): Promise<StoryResult> {
  const start = now();
  for (const id of await removeLeftovers()) page.line(`removed what run ${id} had left behind`);
  draw(page);
  await using lab = await opened(kind, signal);
  await using witness = await Witness.watch(lab.network.namespace('gateway'), signal);
  const born = now();
  await using eiproute = await Eiproute.start(lab.network, lab.cluster, { lines: settings });
  const trouble = await troubleOf(eiproute.synced(signal), signal);
  const readyMs = now() - born;
  const stage: Stage = { lab, eiproute, witness, page };
  const results: SceneResult[] = [];
  if (trouble !== undefined) page.bad(`eiproute did not get ready: ${trouble}`);
  else {
    page.line(
      `   network up in ${duration(lab.laidMs)}, eiproute ready ${duration(readyMs)} after its start`,
    );
    for (const [i, scene] of scenes.entries()) {
      if (linger && scene === purged) continue;
      const result = await playScene(scene, i + 1, stage, signal);
      results.push(result);
      if (result.ok) continue;
      const later = scenes.slice(i + 1).filter((one) => !(linger && one === purged)).length;
      if (later > 0)
        page.line(
          `\n   ${later === 1 ? 'The scene after it is' : `The ${later} scenes after it are`} not played.`,
        );
      const ended = await eiproute.gateway.howEnded();
      if (ended !== undefined) page.line(`\n   The daemon of the gateway has ended: ${ended}.`);
      page.line(`\n   What the gateway said last:\n\n${indented(await eiproute.gateway.lastWords())}`);
      break;
    }
  }
  const ok = trouble === undefined && results.every((result) => result.ok);
  if (!ok) {
    const good = results.filter((one) => one.ok).length;
    page.line(`\n   The whole logs: ${await keepLogs(lab.network.folder)}`);
    page.line(`\n   ${good} of ${scenes.length} scenes as they should be`);
  }
  if (linger) await linger(stage, signal);
  return {
    version: 1,
    ok,
    trouble,
    cluster: kind.cluster,
    ms: now() - start,
    laidMs: lab.laidMs,
    readyMs,
    scenes: results,
  };
}

/** The demo cannot be played: its network did not come up. */
export class StageError extends Error {
  override readonly name = 'StageError';
}

/** @throws StageError, the signal's reason */
async function opened(kind: LabKind, signal: AbortSignal): Promise<Lab> {
  try {
    return await openLab({ nodes: 3, nodeRouting: 'by agents' }, kind, signal);
  } catch (cause) {
    signal.throwIfAborted();
    if (!(cause instanceof Error) || cause instanceof TypeError || cause instanceof ReferenceError)
      throw cause;
    throw new StageError(`the network of the demo did not come up: ${cause.message}`, { cause });
  }
}

/** What went wrong, in words; undefined: nothing. */
async function troubleOf(work: Promise<void>, signal: AbortSignal): Promise<string | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    return error instanceof Error ? error.message : String(error);
  }
}

function indented(text: string): string {
  return text.replace(/^/gm, '   ');
}

function draw(page: Page): void {
  page.line(`
   ${page.style('bold', 'eiproute')}: external addresses (EIPs) for Kubernetes on a plain Linux router

   16 clients ── router ─┬─ ${page.style('bold', 'gateway')} ──┬── node1 ── pods
   192.0.2.100…          │  ${page.style('bold', 'eiproute')}  ├── node2 ── pods  each: ${page.style('bold', 'eiproute node')}
                         │            ├── node3 ── pods
                         │            ├── Kubernetes API
                         └─ another ──┘

   No machine has an EIP (198.51.100.0/24, 2001:db8:e::/64): the gateway routes
   each to the nodes that serve it. The nodes' default route is another router,
   which drops whatever it did not see begin: a reply that takes the wrong way
   is lost. Every machine is a network namespace of this one; the packets are
   real.
`);
}
