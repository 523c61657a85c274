import { type ChildProcess, execFileSync, spawn } from 'node:child_process';

// A node that goes, by iproute2: what a gateway has written by then, by an `ip -batch`.

interface Member {
  readonly id: number;
  /** Absent: 1. */
  readonly weight?: number;
}

/** As `ip -json nexthop show` has it. */
interface Nexthop {
  readonly id: number;
  /** Of a group. */
  readonly group?: readonly Member[];
  /** Of the nexthop of a node. */
  readonly gateway?: string;
  readonly dev?: string;
  readonly protocol?: string;
}

/** The commands that take one node out of the kernel, and those that bring it back. */
export interface Departure {
  readonly leave: string;
  readonly back: string;
}

/**
 * The kernel takes a nexthop that is deleted out of its groups. In this world no node covers for another, so that it is all
 * that the daemon writes as well.
 *
 * @param address of a node that has a nexthop in the kernel
 */
export function departureOf(address: string): Departure {
  const text = execFileSync('ip', ['-json', 'nexthop', 'show'], { maxBuffer: 1 << 26 }).toString();
  const all: readonly Nexthop[] = JSON.parse(text);
  const hop = all.find(({ gateway }) => gateway === address);
  if (hop === undefined) throw new Error(`the kernel has no nexthop via ${address}`);
  const groups = all.flatMap(({ id, group = [], protocol }) => {
    if (group.length < 2 || !group.some((one) => one.id === hop.id)) return [];
    const members = group.map((one) => `${one.id},${one.weight ?? 1}`);
    return [`nexthop replace id ${id} group ${members.join('/')} proto ${protocol}\n`];
  });
  const add = `nexthop add id ${hop.id} via ${address} dev ${hop.dev} proto ${hop.protocol}\n`;
  return { leave: `nexthop delete id ${hop.id}\n`, back: `${add}${groups.join('')}` };
}

/** An `ip -batch` that has started, and waits for its commands. */
export class Batch {
  readonly #process: ChildProcess = spawn('setpriv', ['--pdeathsig', 'KILL', 'ip', '-batch', '-'], {
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  /** Rejects where a command failed. */
  readonly ended = new Promise<void>((resolve, reject) => {
    this.#process.once('exit', (code) =>
      code === 0 ? resolve() : reject(new Error(`ip -batch ended with ${code}`)),
    );
  });

  run(commands: string): void {
    this.#process.stdin?.end(commands);
  }
}
