import { agentAnnotation } from '../model/cluster.ts';
import { requestTrouble } from './failure.ts';
import { readinessOf } from './heartbeat.ts';
import { HttpTransport } from './http.ts';
import type { KubernetesAccess } from './kubeconfig-files.ts';
import { part } from './raw.ts';
import { ApiError } from './transport.ts';
import { RequestError } from './writer.ts';

/** ms */
const patience = 10_000;

/** The annotation of one Node in which its agent tells what it serves. */
export interface NodeAnnotation {
  /** undefined: the Node has none. @throws RequestError */
  read(signal: AbortSignal): Promise<string | undefined>;
  /** @throws RequestError */
  write(text: string, signal: AbortSignal): Promise<void>;
}

export function nodeAnnotation(access: KubernetesAccess, node: string): NodeAnnotation {
  const path = `/api/v1/nodes/${encodeURIComponent(node)}`;
  const ask = async (
    method: 'GET' | 'PATCH',
    body: object | undefined,
    signal: AbortSignal,
  ): Promise<unknown> => {
    // A Node is asked for once in minutes: a connection that is kept would cost more.
    await using transport = new HttpTransport(access);
    const within = AbortSignal.any([signal, AbortSignal.timeout(patience)]);
    try {
      const type = body === undefined ? undefined : 'application/merge-patch+json';
      return await transport.send(method, path, type, body, within);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof TypeError || error instanceof ReferenceError) throw error;
      const request = method === 'GET' ? 'get nodes' : 'patch nodes';
      const isAnswer = error instanceof ApiError;
      const readiness = isAnswer && error.status === 403 ? await readinessOf(transport, signal) : 'ready';
      const { message, advice = 'it is tried again by itself' } = requestTrouble(error, request, readiness);
      if (isAnswer && error.status === 404)
        throw new RequestError(
          `there is no Node ${node}`,
          'set follow.node to its name: kubectl get nodes',
          true,
          {
            cause: error,
          },
        );
      throw new RequestError(message, advice, isAnswer, { cause: error });
    }
  };
  return {
    read: async (signal) => {
      const { annotations } = part(part(await ask('GET', undefined, signal)).metadata);
      const text: unknown = part(annotations)[agentAnnotation];
      return typeof text === 'string' ? text : undefined;
    },
    write: async (text, signal) => {
      await ask('PATCH', { metadata: { annotations: { [agentAnnotation]: text } } }, signal);
    },
  };
}
