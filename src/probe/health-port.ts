import { get } from 'node:http';
import type { Ip } from '../model/ip.ts';

/** What a health check port says. */
export type Health =
  | { readonly kind: 'serves' }
  /** Why not, as the end of a sentence. */
  | { readonly kind: 'not yet' | 'no answer'; readonly why: string };

/** ms; who takes longer is asked again */
const patience = 1000;

/**
 * Asks a health check of kube-proxy: of a Service under Local, which says 200 when it has endpoints on the node and the
 * rules for them are written (kubernetes/kubernetes, pkg/proxy/healthcheck/service_health.go), or its own.
 */
export function askHealth(ip: Ip, port: number, signal: AbortSignal): Promise<Health> {
  return new Promise((resolve) => {
    const stop = AbortSignal.any([signal, AbortSignal.timeout(patience)]);
    const request = get({ host: ip, port, path: '/healthz', agent: false, signal: stop }, (response) => {
      response.resume();
      if (response.statusCode === 200) resolve({ kind: 'serves' });
      else resolve({ kind: 'not yet', why: `it answers ${response.statusCode}` });
    });
    request.on('error', (error: NodeJS.ErrnoException) => {
      const why =
        error.name === 'AbortError' ? `no answer within ${patience} ms` : (error.code ?? error.message);
      resolve({ kind: 'no answer', why });
    });
  });
}
