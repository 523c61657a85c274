import { drainAnnotation } from '../model/cluster.ts';
import { requestTrouble } from './failure.ts';
import { readinessOf } from './heartbeat.ts';
import { HttpTransport } from './http.ts';
import type { KubernetesAccess } from './kubeconfig-files.ts';
import { ApiError } from './transport.ts';
import { RequestError } from './writer.ts';

/** ms */
const patience = 5000;

/**
 * Sets or removes the annotation of a Node that is to get no new flows.
 *
 * @param by who asks, as the gateways will tell it; undefined: the node is to get new flows again
 * @throws RequestError
 */
export async function setDrain(
  access: KubernetesAccess,
  node: string,
  by: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  await using transport = new HttpTransport(access);
  const body = { metadata: { annotations: { [drainAnnotation]: by ?? null } } };
  try {
    const path = `/api/v1/nodes/${encodeURIComponent(node)}`;
    const within = AbortSignal.any([signal, AbortSignal.timeout(patience)]);
    await transport.send('PATCH', path, 'application/merge-patch+json', body, within);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof TypeError || error instanceof ReferenceError) throw error;
    const answered = error instanceof ApiError;
    const status = answered ? error.status : undefined;
    const readiness = status === 403 ? await readinessOf(transport, signal) : 'ready';
    const { message, advice } = requestTrouble(error, 'patch nodes', readiness);
    if (status === 404)
      throw new RequestError(`there is no Node ${node}`, 'kubectl get nodes', true, { cause: error });
    const byHand = `give it a kubeconfig that may patch nodes (--kubeconfig), or: kubectl annotate node ${node} ${drainAnnotation}${by === undefined ? '-' : '=true'}`;
    const mayNot = status === 403 && readiness === 'ready';
    throw new RequestError(message, mayNot ? byHand : (advice ?? 'try it again'), answered, { cause: error });
  }
}
