import { now } from './clock.ts';
import { ControlPlane } from './control-plane.ts';
import { GatewayProcess, gatewayFiles, writeGatewayConfig } from './gateway-process.ts';
import { removeLeftovers } from './lease.ts';
import { Clients } from './load.ts';
import { layNetwork } from './network.ts';
import { duration, type Page } from './page.ts';
import { playScene, type SceneResult } from './play.ts';
import {
  apiStops,
  daemonDies,
  endpointsMove,
  handDisturbs,
  nodeGoes,
  purged,
  serviceAppears,
} from './scenes.ts';
import type { Scene, Stage } from './stage.ts';
import { Witness } from './witness.ts';

/** What `eiproute demo --json` prints. */
export interface StoryResult {
  readonly version: 1;
  readonly ok: boolean;
  readonly ms: number;
  /** Until the network was up, and until eiproute was ready in it. */
  readonly laidMs: number;
  readonly readyMs: number;
  readonly scenes: readonly SceneResult[];
}

const scenes: readonly Scene[] = [
  serviceAppears,
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
 * @param linger what to do with the network before it is taken down; the last scene, which ends the daemon,
 *   is then not played
 */
export async function playStory(
  page: Page,
  signal: AbortSignal,
  linger?: (stage: Stage, signal: AbortSignal) => Promise<void>,
): Promise<StoryResult> {
  const start = now();
  for (const id of await removeLeftovers()) page.line(`removed what run ${id} had left behind`);
  draw(page);
  await using network = await layNetwork({ nodes: 3 }, signal);
  const laid = now();
  const files = gatewayFiles(network.folder);
  await writeGatewayConfig(files);
  await using plane = await ControlPlane.start(network);
  await plane.writeKubeconfig(files.kubeconfig);
  await using clients = new Clients(network.namespace('client'));
  await using witness = await Witness.watch(network.namespace('gateway'), signal);
  const born = now();
  const stage: Stage = {
    network,
    plane,
    clients,
    witness,
    files,
    page,
    gateway: await GatewayProcess.start(network, files),
  };
  await using _last = { [Symbol.asyncDispose]: () => stage.gateway[Symbol.asyncDispose]() };
  await stage.gateway.synced(signal);
  const ready = now();
  page.line(
    `   network up in ${duration(laid - start)}, eiproute ready ${duration(ready - born)} after its start\n`,
  );
  const results: SceneResult[] = [];
  for (const [i, scene] of scenes.entries()) {
    if (linger && scene === purged) continue;
    const result = await playScene(scene, i + 1, stage, signal);
    results.push(result);
    if (!result.ok) {
      page.line(`\nthe end of ${files.log}:\n${await stage.gateway.logTail()}`);
      break;
    }
  }
  const ok = results.every((result) => result.ok);
  if (linger) await linger(stage, signal);
  return { version: 1, ok, ms: now() - start, laidMs: laid - start, readyMs: ready - born, scenes: results };
}

function draw(page: Page): void {
  page.line(`
   ${page.style('bold', 'eiproute')}: external addresses (EIPs) for Kubernetes on a plain Linux router

   16 clients ── router ── ${page.style('bold', 'gateway')} ──┬── node1 ── pods
   192.0.2.100…             ${page.style('bold', 'eiproute')} ├── node2 ── pods
                                     ├── node3 ── pods
                                     └── Kubernetes API

   No machine has an EIP (198.51.100.0/24, 2001:db8:e::/64): the gateway routes each to the
   nodes that serve it. Every machine is a network namespace of this one; the packets are real.
`);
}
