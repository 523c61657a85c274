import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gateway, pools } from '../network/map.ts';
import type { Network } from '../network/network.ts';
import { clearEnvironment, program } from './gateway-process.ts';
import { outcome, within } from './run.ts';

/** `eiproute node` on every node, each a process of its own. */
export class NodeAgents implements AsyncDisposable {
  readonly #agents: readonly Agent[];

  private constructor(agents: readonly Agent[]) {
    this.#agents = agents;
  }

  /** Starts them and does not wait; their logs go to files. */
  static async start(network: Network): Promise<NodeAgents> {
    return new NodeAgents(await Promise.all(network.nodes.map((name) => Agent.start(network, name))));
  }

  /**
   * Waits until all nodes have what they need.
   *
   * @throws Error with the log of the one that dies or does not get there
   */
  async synced(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#agents.map((agent) => agent.synced(signal)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#agents.map((agent) => agent.kill()));
  }
}

class Agent {
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #gone: Promise<string>;

  private constructor(child: ChildProcess, folder: string) {
    this.#child = child;
    this.#folder = folder;
    this.#gone = new Promise((resolve) => {
      child.once('error', (error) => resolve(error.message));
      child.once('close', (code, killed) => resolve(`exit ${code ?? killed}`));
    });
  }

  static async start(network: Network, name: string): Promise<Agent> {
    const folder = join(network.folder, name);
    await mkdir(folder, { recursive: true });
    await writeFile(
      join(folder, 'node.yaml'),
      `eips: [${pools.map((pool) => `"${pool}"`).join(', ')}]
gateways: [${gateway.lan.v4}, "${gateway.lan.v6}"]
stateDirectory: state
runtimeDirectory: runtime
namesDirectory: ${folder} # not the machine's own: it is no router
log: { format: json }
`,
    );
    const log = await open(join(folder, 'node.log'), 'a');
    try {
      const argv = within(network.namespace(name), [program, 'node', '--config', join(folder, 'node.yaml')]);
      // The parent's death takes it along, however we die: nothing is left running.
      const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...argv], {
        stdio: ['ignore', log.fd, log.fd],
        env: clearEnvironment(),
      });
      return new Agent(child, folder);
    } finally {
      await log.close();
    }
  }

  async synced(signal: AbortSignal): Promise<void> {
    const argv = [program, 'status', '--config', join(this.#folder, 'node.yaml'), '--wait-synced'];
    const stop = new AbortController();
    const asked = outcome({ argv: [...argv, '--timeout', '10'] }, AbortSignal.any([signal, stop.signal]));
    asked.catch(() => undefined);
    const result = await Promise.race([asked, this.#gone]);
    stop.abort();
    if (typeof result !== 'string' && result.status === 0) return;
    const how = typeof result === 'string' ? result : result.err;
    const log = await readFile(join(this.#folder, 'node.log'), 'utf8');
    throw new Error(`eiproute node in ${this.#folder}: ${how}\n${log}`);
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#gone;
  }
}
