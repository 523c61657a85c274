import { family, type Ip } from '../../src/model/ip.ts';
import type { Network } from '../network/network.ts';

export interface Asked {
  readonly ip: Ip;
  readonly protocol: 'TCP' | 'UDP';
  readonly port: number;
  /** `shop.example/cart`: over HTTP, the name of the host and the path; absent: the address and `/`. */
  readonly url?: string;
}

/** What somebody got to hear: the line of a pod; or how it failed, and how long that took. */
export type Heard =
  | { readonly kind: 'answer'; readonly text: string }
  | { readonly kind: 'refused' | 'silence'; readonly text: string };

/** s; whoever has not answered by then does not */
const patience = 2;

/** Asks an address and port as a user there would: with curl, or with a datagram. */
export async function ask(network: Network, from: string, asked: Asked): Promise<Heard> {
  const { ip, protocol, port, url } = asked;
  if (protocol === 'UDP') return await askUdp(network, from, ip, port);
  const host = family(ip) === 6 ? `[${ip}]` : ip;
  const [name = host, path = ''] = url?.split('/') ?? [];
  const resolve = url === undefined ? [] : ['--resolve', `${name}:${port}:${host}`];
  const argv = ['curl', '-g', '-sS', '-m', `${patience}`, ...resolve, `http://${name}:${port}/${path}`];
  const { status, out, err } = await network.outcome(from, { argv });
  if (status === 0) return { kind: 'answer', text: out.trim() };
  // 7: connection refused, or no route; 28: nothing came
  return { kind: status === 28 ? 'silence' : 'refused', text: err.trim() };
}

async function askUdp(network: Network, from: string, ip: Ip, port: number): Promise<Heard> {
  const script = `exec 3<>"/dev/udp/${ip}/${port}" && echo hello >&3 && timeout ${patience} head -n 1 <&3`;
  const { status, out, err } = await network.outcome(from, { argv: ['bash', '-c', script] });
  if (status === 0 && out !== '') return { kind: 'answer', text: out.trim() };
  return { kind: status === 124 ? 'silence' : 'refused', text: err.trim() };
}
