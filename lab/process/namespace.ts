import { closeSync, openSync, writeFileSync } from 'node:fs';
import koffi from 'koffi';

/** Where `ip netns add` keeps its names. */
const folder = '/run/netns';

const CLONE_NEWNET = 0x40000000;
let libcSetns: ((fd: number, kind: number) => number) | undefined;

export function namespacePath(name: string): string {
  return `${folder}/${name}`;
}

/**
 * Moves the calling thread into a network namespace for good. For worker threads, which then open all their
 * sockets there.
 *
 * @throws Error when the namespace is gone or we may not enter it
 */
export function enter(name: string): void {
  const fd = openSync(namespacePath(name), 'r');
  try {
    setns(fd, name);
  } finally {
    closeSync(fd);
  }
}

/**
 * Runs `work` with the calling thread inside a network namespace. A socket stays in the namespace it was made
 * in, so one process can serve in many. `work` must not wait: whatever ran meanwhile would be in the wrong
 * place.
 */
export function inside<T>(name: string, work: () => T): T {
  const home = openSync('/proc/thread-self/ns/net', 'r');
  try {
    enter(name);
    try {
      return work();
    } finally {
      setns(home, 'where we came from');
    }
  } finally {
    closeSync(home);
  }
}

/** Writes settings below /proc/sys in a namespace: `{ 'net/ipv4/ip_forward': '1' }`. */
export function setSysctls(name: string, values: Readonly<Record<string, string>>): void {
  inside(name, () => {
    for (const [path, value] of Object.entries(values)) writeFileSync(`/proc/sys/${path}`, value);
  });
}

function setns(fd: number, name: string): void {
  libcSetns ??= koffi.load('libc.so.6').func('int setns(int, int)');
  if (libcSetns(fd, CLONE_NEWNET) === 0) return;
  const code = Object.entries(koffi.os.errno).find(([, value]) => value === koffi.errno())?.[0] ?? 'errno';
  throw new Error(`cannot enter network namespace ${name}: setns: ${code} (CAP_SYS_ADMIN is needed)`);
}
