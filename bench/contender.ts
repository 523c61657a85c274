import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Task, Times } from './runs/run.ts';

/** Somebody who can add, dump and delete routes. */
export interface Contender {
  readonly name: string;
  /** Words of the program; the task's numbers are put behind. */
  readonly program: readonly string[];
  /** Words behind the numbers. */
  readonly after: readonly string[];
  /** One route of this many is really made, and the times multiplied: for those who would take minutes. */
  readonly share: number;
}

/** Why a contender is not in the race. */
export interface Absent {
  readonly name: string;
  readonly why: string;
}

const cache = fileURLToPath(new URL('../.cache/', import.meta.url));
const run = (file: string) => fileURLToPath(new URL(`runs/${file}.ts`, import.meta.url));

const ours = [process.execPath, '--expose-gc', run('ours')];

/** Builds and installs what is needed, into .cache. */
export function contenders(): readonly (Contender | Absent)[] {
  mkdirSync(cache, { recursive: true });
  return [
    inC(),
    { name: 'eiproute', program: ours, after: ['running'], share: 1 },
    { name: 'eiproute, just started', program: ours, after: ['started'], share: 1 },
    { name: 'ip -batch', program: [process.execPath, run('ip-batch')], after: [], share: 1 },
    nodeNetlink(),
  ];
}

function inC(): Contender {
  const source = fileURLToPath(new URL('c/routes.c', import.meta.url));
  const binary = `${cache}routes`;
  execFileSync('cc', ['-O2', '-o', binary, source], { stdio: 'inherit' });
  return { name: 'C', program: [binary], after: [], share: 1 };
}

/** Not a dependency of ours, so it is fetched here, with the two parts that it compiles. */
function nodeNetlink(): Contender | Absent {
  const name = 'node-netlink';
  const folder = `${cache}node-netlink`;
  const entry = `${folder}/node_modules/node-netlink/lib/index.js`;
  try {
    if (!existsSync(entry)) {
      mkdirSync(folder, { recursive: true });
      const allowScripts = { 'syscall-napi': true, buffer2address: true };
      writeFileSync(`${folder}/package.json`, JSON.stringify({ private: true, allowScripts }));
      const words = ['install', 'node-netlink@0.0.4', '--no-audit', '--no-fund', '--loglevel=error'];
      execFileSync('npm', words, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
    }
    return { name, program: [process.execPath, run('node-netlink')], after: [entry], share: 10 };
  } catch (error) {
    const lines = String(error).split('\n').filter(Boolean);
    return { name, why: `could not be built here: ${lines.at(-1)}` };
  }
}

// A veth pair, since a nexthop needs a carrier; a group of one, since that is what our routes lead to.
const stage = `
  set -e
  ip link set lo up
  ip link add eip0 type veth peer name eip1
  ip link set eip1 up
  ip link set eip0 up
  ip address add 10.0.0.1/24 dev eip0
  ip nexthop add id 1 via 10.0.0.2 dev eip0
  ip nexthop add id 2 group 1
  exec "$@"`;

/** One run in a network namespace of its own. */
export function race({ program, after, share }: Contender, { count, nhid, table, protocol }: Task): Times {
  const numbers = [count / share, nhid, table, protocol].map(String);
  const words = ['--net', 'sh', '-c', stage, 'stage', ...program, ...numbers, ...after];
  const output = execFileSync('unshare', words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  const times: Times = JSON.parse(output);
  const { add, dump, delete: gone } = times;
  return { ...times, add: add * share, dump: dump * share, delete: gone * share };
}
