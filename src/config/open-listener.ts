import { isLoopback } from '../model/special-use.ts';
import type { ListenAddress, RoleName } from './config.ts';
import { listenText } from './format.ts';
import type { Written } from './readings.ts';
import type { Leaf } from './schema.ts';

/** Warns of a listener that other hosts may reach. It is never refused: a Prometheus on another host needs it. */
export function warnOfOpenListener(
  listen: ListenAddress | undefined,
  { key }: Leaf<ListenAddress>,
  role: RoleName,
  { layers, warnings }: Written,
): void {
  const what = openListener(listen, role);
  if (what !== undefined) warnings.push({ origin: layers.origin(key), key, what });
}

/** What to know of a listener that other hosts may reach; undefined: none can. */
function openListener(listen: ListenAddress | undefined, role: RoleName): string | undefined {
  if (listen === undefined || isLoopback(listen.host)) return undefined;
  return `${listenText(listen)} can be reached from elsewhere: without a password and without TLS anybody there reads ${shown(role)}; nothing can be changed there. Listen on 127.0.0.1:${listen.port}, or let only your Prometheus through to port ${listen.port}`;
}

function shown(role: RoleName): string {
  return role === 'gateway'
    ? 'the names of all Services and nodes, where each EIP goes, and what happened'
    : 'the networks of the EIPs, the gateways, and what happened';
}
