import { once } from 'node:events';
import { join } from 'node:path';
import { program } from '../eiproute/daemon-process.ts';
import { embedded, type LabKind } from '../lab.ts';
import { removeLeftovers } from '../network/lab-run.ts';
import { mailEip } from './address-given.ts';
import { Page } from './page.ts';
import { summarise } from './peers.ts';
import { inUserNamespace, isRootless, missingPrograms, needsUserNamespace, obstacle } from './rootless.ts';
import { type Stage, shop } from './stage.ts';
import { playStory, StageError, type StoryResult } from './story.ts';

export interface DemoOptions {
  /** What to do: the story; the story and then stay until aborted; only remove what killed runs left. */
  readonly mode: 'play' | 'keep' | 'clean';
  /** For people, or one JSON document ({@link StoryResult}). */
  readonly output: 'text' | 'json';
  /** The API server of this repository with everything around it played, or a real Kubernetes and its kube-proxy. */
  readonly cluster: 'embedded' | 'real';
  readonly stdout: { readonly isTTY?: boolean; write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
  readonly env: Readonly<Record<string, string | undefined>>;
}

const labs = {
  embedded,
  real: { cluster: 'real', proxy: 'nftables' },
} as const satisfies Record<DemoOptions['cluster'], LabKind>;

/**
 * `eiproute demo`.
 *
 * @returns the exit code: 0 when every scene was as it should be, 1 otherwise
 * @throws the signal's reason when aborted; everything has been removed by then
 */
export async function demo(
  { mode, output, cluster, stdout, stderr, env }: DemoOptions,
  signal: AbortSignal,
): Promise<number> {
  const refuse = (why: string): number => {
    stderr.write(`eiproute: ${why}\n`);
    return 1;
  };
  const missing = await missingPrograms();
  if (missing !== undefined) return refuse(missing);
  if (needsUserNamespace()) {
    const ended = await inUserNamespace(signal);
    return typeof ended === 'number' ? ended : refuse(ended);
  }
  const trouble = await obstacle();
  if (trouble !== undefined) return refuse(trouble);
  const json = output === 'json';
  const page = new Page(
    (text) => (json ? stderr : stdout).write(text),
    !json && wantsColour(stdout.isTTY, env),
  );
  if (mode === 'clean') {
    const removed = await removeLeftovers();
    page.line(removed.length === 0 ? 'nothing was left over' : `removed: ${removed.join(', ')}`);
    return 0;
  }
  let result: StoryResult;
  try {
    result = await playStory(page, labs[cluster], signal, mode === 'keep' ? linger : undefined);
  } catch (error) {
    if (error instanceof StageError) return refuse(error.message);
    throw error;
  }
  if (json) stdout.write(`${JSON.stringify(result, undefined, 2)}\n`);
  else if (mode === 'play' && result.ok) summarise(page, result);
  return result.ok ? 0 : 1;
}

/** https://no-color.org and FORCE_COLOR, as Node itself reads them; else a terminal. */
function wantsColour(
  isTTY: boolean | undefined,
  { NO_COLOR, FORCE_COLOR }: Readonly<Record<string, string | undefined>>,
): boolean {
  if (NO_COLOR) return false;
  return FORCE_COLOR !== undefined ? FORCE_COLOR !== '0' : isTTY === true;
}

/** Tells how to play with it, and stays until somebody has had enough. */
async function linger(
  { lab: { network, cluster }, eiproute: { files }, page }: Stage,
  signal: AbortSignal,
): Promise<void> {
  const kubeconfig = join(network.folder, 'kubectl.kubeconfig');
  await cluster.writeMachineKubeconfig(kubeconfig);
  const at = (part: string): string => `ip netns exec ${network.namespace(part)}`;
  if (isRootless()) {
    page.line(`
   It is up, in a user namespace. Enter it first, from another terminal:
   nsenter -t ${process.pid} --user --mount --net --preserve-credentials`);
  } else page.line('\n   It is up. From another terminal:');
  page.line(`
   export KUBECONFIG=${kubeconfig}
   kubectl get svc,nodes,endpointslices -o wide
   ${at('client')} curl http://${shop.eip.v4}/ http://${mailEip.v4}/
   ${program} status --config ${files.config} --eips
   ${at('gateway')} ip route show proto 86
   ${at('gateway')} ip nexthop
   ${at('gateway')} ip monitor route nexthop
   tail -f ${files.log}
   kubectl delete svc ${shop.name}

   Ctrl-C takes it down.`);
  if (!signal.aborted) await once(signal, 'abort');
  page.line('\n   taking it down');
}
