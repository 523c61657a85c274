import { libc } from '../libc.ts';
import { KernelError } from './kernel.ts';
import { openPacketSockets, type PacketSockets } from './linux-segment.ts';

const PR_CAP_AMBIENT = 47;
const PR_CAP_AMBIENT_IS_SET = 1;
const PR_CAP_AMBIENT_LOWER = 3;
const CAP_NET_RAW = 13;
const F_SETFD = 2;
const FD_CLOEXEC = 1;
const variable = 'EIPROUTE_PACKET_SOCKETS';

/**
 * Opens the packet sockets and starts this program anew without CAP_NET_RAW, in the same process: a capability is a
 * thread's, V8 has threads before our first line runs, and only execve() takes it from all of them. Does nothing
 * where a service manager has not given it (AmbientCapabilities), as for root, who would get it back.
 */
export function dropRawPackets(): void {
  if (libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_NET_RAW, 0, 0) !== 1) return;
  const sockets = tryOpen();
  if (sockets === undefined) return;
  const { arp, ndp } = sockets;
  if (
    process.execve === undefined ||
    libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, CAP_NET_RAW, 0, 0) < 0
  ) {
    libc.close(arp);
    libc.close(ndp);
    return;
  }
  for (const fd of [arp, ndp]) libc.fcntl(fd, F_SETFD, 0);
  const args = [process.argv0, ...process.execArgv, ...process.argv.slice(1)];
  process.execve(process.execPath, args, { ...process.env, [variable]: `${arp},${ndp}` });
}

/** @returns undefined where the unit forbids the address family: the probe fails as well then, and says why */
function tryOpen(): PacketSockets | undefined {
  try {
    return openPacketSockets();
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    return undefined;
  }
}

/** The sockets that {@link dropRawPackets} has opened; undefined: it has not. */
export function inheritedPacketSockets(): PacketSockets | undefined {
  const [arp, ndp] = (process.env[variable] ?? '').split(',').map(Number);
  if (arp === undefined || ndp === undefined) return undefined;
  delete process.env[variable];
  for (const fd of [arp, ndp]) libc.fcntl(fd, F_SETFD, FD_CLOEXEC);
  return { arp, ndp };
}
