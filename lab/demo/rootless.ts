import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { type Outcome, outcome } from '../process/run.ts';

/** Set in the process that has its own user namespace, so that it does not make another one. */
const inside = 'EIPROUTE_DEMO_ROOTLESS';

const needed: readonly (readonly [program: string, package_: string])[] = [
  ['ip', 'iproute2'],
  ['nft', 'nftables'],
  ['curl', 'curl'],
  ['unshare', 'util-linux'],
  ['nsenter', 'util-linux'],
  ['setpriv', 'util-linux'],
];

/** The programs that are missing, in a sentence that says how to get them; undefined: all are there. */
export async function missingPrograms(): Promise<string | undefined> {
  const missing = new Set<string>();
  for (const [program, package_] of needed) {
    const { status } = await outcome({ argv: ['sh', '-c', 'command -v "$1"', 'sh', program] });
    if (status !== 0) missing.add(package_);
  }
  if (missing.size === 0) return undefined;
  const packages = [...missing].join(' ');
  return `the demo needs ${packages}: as root, apt-get install ${packages}`;
}

/** Why root cannot make network namespaces here, and what to do about it; undefined: it can. */
export async function obstacle(): Promise<string | undefined> {
  const { status, err } = await outcome({ argv: ['unshare', '--net', '--mount', 'true'] });
  return status === 0
    ? undefined
    : `the demo cannot make network namespaces: ${err.trim()}. It needs CAP_SYS_ADMIN and CAP_NET_ADMIN; a container needs --privileged`;
}

/** Whether this process should start itself again in a user namespace. */
export function needsUserNamespace(): boolean {
  return process.getuid?.() !== 0 && process.env[inside] === undefined;
}

/** Whether this process was started by {@link inUserNamespace}. */
export function isRootless(): boolean {
  return process.env[inside] !== undefined;
}

/**
 * Runs this same command line as root of a new user namespace, with network and mount namespaces of its own:
 * nothing in it can touch the machine, and all of it is gone with its last process.
 *
 * @returns its exit code, or why there can be none
 */
export async function inUserNamespace(signal: AbortSignal): Promise<number | string> {
  const door = ['unshare', '--user', '--map-root-user', '--mount', '--net'];
  const possible = await outcome({ argv: [...door, 'true'] });
  if (possible.status !== 0) return refusal(possible);
  const self = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  // `ip netns` keeps its names in /run: a private one.
  const argv = [
    ...door,
    'sh',
    '-c',
    'mount -t tmpfs tmpfs /run && ip link set lo up && exec "$@"',
    'sh',
    ...self,
  ];
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...argv], {
    stdio: 'inherit',
    env: { ...process.env, [inside]: '1' },
  });
  const pass = (): void => void child.kill('SIGINT');
  signal.addEventListener('abort', pass, { once: true });
  try {
    return await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, killed) => resolve(code ?? 128 + (killed ? constants.signals[killed] : 0)));
    });
  } finally {
    signal.removeEventListener('abort', pass);
  }
}

function refusal({ err }: Outcome): string {
  return `the demo needs root, or user namespaces for everybody, and here they are not allowed: ${err.trim()}.
Run it as root, or allow them: sysctl -w kernel.unprivileged_userns_clone=1 (Debian),
sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu), sysctl -w user.max_user_namespaces=10000`;
}
