import { readFile } from 'node:fs/promises';
import { release } from 'node:os';
import type { Problem } from '../model/problem.ts';

/** Linux 5.10 has everything but resilient nexthop groups, which need 5.13. */
const oldest = [5, 10] as const;
const CAP_NET_ADMIN = 12;

/** Version and capabilities, as the kernel prints them. */
export interface Host {
  /** `uname -r`: `6.1.0-18-amd64` */
  readonly release: string;
  /** /proc/self/status */
  readonly status: string;
}

export async function readHost(): Promise<Host> {
  return { release: release(), status: await readFile('/proc/self/status', 'utf8') };
}

/** Requirements that this host does not meet. */
export function missing(host: Host): readonly Problem[] {
  return [...tooOld(host.release), ...notAllowed(host.status)];
}

function tooOld(release: string): readonly Problem[] {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(release) ?? [];
  const wanted = oldest.join('.');
  const what = { code: 'kernel-too-old', severity: 'error', subject: `Linux ${release}` } as const;
  if (major === undefined || minor === undefined) {
    return [
      {
        ...what,
        message: `"${release}" does not begin with a version; Linux ${wanted} or newer is needed`,
        advice: 'Say in a bug report what "uname -r" prints here.',
      },
    ];
  }
  const [number, second] = [Number(major), Number(minor)];
  if (number > oldest[0] || (number === oldest[0] && second >= oldest[1])) return [];
  return [
    {
      ...what,
      message: `Linux ${number}.${second} is too old; ${wanted} or newer is needed (nexthop objects)`,
      advice: `Boot a newer kernel; every distribution that is still supported has Linux ${wanted} or newer.`,
    },
  ];
}

function notAllowed(status: string): readonly Problem[] {
  const [, effective] = /^CapEff:\s*([0-9a-f]+)$/im.exec(status) ?? [];
  const has = effective !== undefined && (BigInt(`0x${effective}`) & (1n << BigInt(CAP_NET_ADMIN))) !== 0n;
  if (has) return [];
  return [
    {
      code: 'no-cap-net-admin',
      severity: 'error',
      subject: 'CAP_NET_ADMIN',
      message: 'this process may not change routes: CAP_NET_ADMIN is not among its effective capabilities',
      advice:
        'Run it as root, or give the systemd unit AmbientCapabilities=CAP_NET_ADMIN; to try it out without ' +
        'root: unshare --user --map-root-user --net.',
    },
  ];
}
