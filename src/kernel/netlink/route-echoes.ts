import { Type } from './message.ts';
import { accept, drop, ifEqual, isLittle, loadHalf, loadWord, socketFilter } from './socket-filter.ts';

/** Of nlmsg_type and nlmsg_pid in the header, which netlink writes in the byte order of the machine. */
const typeOffset = 4;
const portOffset = 12;

/**
 * Drops the notifications of routes that one socket has changed. They tell its program nothing, and a start with a
 * hundred thousand EIPs has as many: the kernel need not queue them, nor anybody read them one by one.
 *
 * @param port port id of the socket
 */
export function withoutRouteEchoes(port: number): Uint8Array {
  return socketFilter([
    loadWord(portOffset),
    ifEqual(asLoaded(port, 4), 0, 3),
    loadHalf(typeOffset),
    ifEqual(asLoaded(Type.RTM_NEWROUTE, 2), 2, 0),
    ifEqual(asLoaded(Type.RTM_DELROUTE, 2), 1, 0),
    accept,
    drop,
  ]);
}

/** What a load makes of a number of so many bytes: it reads them in the order of the network. */
function asLoaded(value: number, length: 2 | 4): number {
  const view = new DataView(new ArrayBuffer(4));
  if (length === 2) {
    view.setUint16(0, value, isLittle);
    return view.getUint16(0);
  }
  view.setUint32(0, value, isLittle);
  return view.getUint32(0);
}
