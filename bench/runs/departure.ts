import { type ChildProcess, execFileSync, spawn } from 'node:child_process';

// A node that goes, by iproute2: what a gateway has written by then, in one `ip -batch`.

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

/** The messages that take one node out of the kernel, and those that bring it back. */
export interface Departure {
  /** One for each group with other nodes, and one for the nexthop. */
  readonly messages: number;
  readonly leave: string;
  readonly back: string;
}

/** @param address of a node that has a nexthop in the kernel */
export function departureOf(address: string): Departure {
  const text = execFileSync('ip', ['-json', 'nexthop', 'show'], { maxBuffer: 1 << 26 }).toString();
  const all: readonly Nexthop[] = JSON.parse(text);
  const hop = all.find(({ gateway }) => gateway === address);
  if (hop === undefined) throw new Error(`the kernel has no nexthop via ${address}`);
  const groups = all.flatMap(({ id, group = [], protocol }) => {
    const rest = group.filter((one) => one.id !== hop.id);
    if (rest.length === 0 || rest.length === group.length) return [];
    const to = (members: readonly Member[]): string =>
      `nexthop replace id ${id} group ${members.map((one) => `${one.id},${one.weight ?? 1}`).join('/')} proto ${protocol}\n`;
    return [{ leave: to(rest), back: to(group) }];
  });
  const add = `nexthop add id ${hop.id} via ${address} dev ${hop.dev} proto ${hop.protocol}\n`;
  return {
    messages: groups.length + 1,
    leave: `${groups.map(({ leave }) => leave).join('')}nexthop delete id ${hop.id}\n`,
    back: `${add}${groups.map(({ back }) => back).join('')}`,
  };
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
