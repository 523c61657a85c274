import type { Dispatcher } from 'undici';
import type { Session } from './credentials.ts';

export type RequestOptions = Omit<Dispatcher.RequestOptions, 'origin' | 'path' | 'method'> & {
  /** Absent: GET. */
  readonly method?: 'GET' | 'PATCH' | 'POST';
};

/** @param path with its query, below the address of the server, which can have a path of its own */
export function request(
  { server, dispatcher }: Session,
  path: string,
  options: RequestOptions,
): Promise<Dispatcher.ResponseData> {
  const { origin, pathname, search } = new URL(`${server}${path}`);
  return dispatcher.request({ method: 'GET', ...options, origin, path: `${pathname}${search}` });
}
