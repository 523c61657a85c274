import { family, type Ip, ipBytes } from '../model/ip.ts';
import { AF } from './netlink/message.ts';

/** struct sockaddr_in, or sockaddr_in6 */
export function socketAddress(ip: Ip, port: number): Uint8Array {
  const isFour = family(ip) === 4;
  const bytes = new Uint8Array(isFour ? 16 : 28);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, isFour ? AF.inet : AF.inet6, true);
  view.setUint16(2, port);
  bytes.set(ipBytes(ip), isFour ? 4 : 8);
  return bytes;
}
