import type { Dispatcher } from 'undici';
import { abortable } from '../abortable.ts';
import type { Session } from './credentials.ts';

export type RequestOptions = Omit<Dispatcher.RequestOptions, 'origin' | 'path' | 'method' | 'signal'> & {
  /** Absent: GET. */
  readonly method?: 'GET' | 'PATCH' | 'POST';
  readonly signal: AbortSignal;
};

/**
 * undici looks at the signal once it has begun to send. A request that it holds, for a connection that is being made, that
 * the server is closing (GOAWAY) or that a proxy does not make, would wait on, so it is given up here.
 *
 * @param path with its query, below the address of the server, which can have a path of its own
 */
export function request(
  { server, dispatcher }: Session,
  path: string,
  options: RequestOptions,
): Promise<Dispatcher.ResponseData> {
  const { origin, pathname, search } = new URL(`${server}${path}`);
  const answer = dispatcher.request({ method: 'GET', ...options, origin, path: `${pathname}${search}` });
  return abortable(answer, options.signal);
}
