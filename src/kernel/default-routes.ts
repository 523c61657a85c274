import { type Family, type Ip, parseIp } from '../model/ip.ts';
import { readWith } from './program.ts';

/** A default route of whomever. */
export interface DefaultRoute {
  readonly via: Ip | undefined;
  readonly dev: string;
  readonly metric: number;
  readonly protocol: number;
}

/** What `ip -j route show default` prints of a route; further fields are left out. */
interface Printed {
  readonly gateway?: string;
  readonly dev?: string;
  readonly metric?: number;
  readonly protocol?: string;
}

/** The default routes of the main table, the strongest first; none where `ip` cannot be run. */
export async function listDefaultRoutes(of: Family, signal: AbortSignal): Promise<readonly DefaultRoute[]> {
  const ended = await readWith('ip', ['-N', '-j', `-${of}`, 'route', 'show', 'default'], signal);
  if (ended.kind === 'not run' || ended.status !== 0) return [];
  const printed: readonly Printed[] = JSON.parse(ended.out === '' ? '[]' : ended.out);
  return printed
    .map(({ gateway, dev = '', metric = 0, protocol = '0' }) => ({
      via: gateway === undefined ? undefined : parseIp(gateway),
      dev,
      metric,
      protocol: Number(protocol),
    }))
    .sort((a, b) => a.metric - b.metric);
}

/** `via 192.168.1.1 dev eth0 metric 100` */
export function defaultRouteText({ via, dev, metric }: DefaultRoute): string {
  const words = [...(via === undefined ? [] : [`via ${via}`]), `dev ${dev}`];
  return [...words, ...(metric === 0 ? [] : [`metric ${metric}`])].join(' ');
}
