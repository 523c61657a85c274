import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Json, listAt, textAt } from '../cluster/api/json.ts';
import { pools, upstream } from '../network/map.ts';
import type { Network } from '../network/network.ts';
import { outcome, run, unlessAborted, within } from './run.ts';

/** How the demo starts eiproute: as anybody would. */
export const program = fileURLToPath(new URL('../../bin/eiproute', import.meta.url));

/** Paths of a gateway's files; all in the folder of the run. */
export interface GatewayFiles {
  readonly config: string;
  readonly kubeconfig: string;
  readonly state: string;
  readonly runtime: string;
  readonly log: string;
}

export function gatewayFiles(folder: string): GatewayFiles {
  return {
    config: join(folder, 'gateway.yaml'),
    kubeconfig: join(folder, 'kubeconfig'),
    state: join(folder, 'state'),
    runtime: join(folder, 'runtime'),
    log: join(folder, 'gateway.log'),
  };
}

export async function writeGatewayConfig(files: GatewayFiles): Promise<void> {
  await mkdir(files.state, { recursive: true });
  await mkdir(files.runtime, { recursive: true });
  await writeFile(
    files.config,
    `kubeconfig: ${files.kubeconfig}
lan: eth0
uplink: eth1
defaultRoute:
  via: [${upstream.outer.v4}, "${upstream.outer.v6}"]
pools:
  - name: public
    addresses: [${pools.map((pool) => `"${pool}"`).join(', ')}]
    avoidBuggyIPs: true
allocate: { classless: false, lease: false } # the scenes give most Services their EIPs themselves
neighbour: # how fast the kernel itself notices a dead node
  reachable: 500ms
  firstProbe: 0s
  retransmit: 100ms
stateDirectory: ${files.state}
runtimeDirectory: ${files.runtime}
log:
  format: json
`,
  );
}

/** `eiproute gateway` as a process of its own in the gateway's namespace. */
export class GatewayProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #gone: Promise<string>;
  readonly #files: GatewayFiles;
  #alive = true;

  private constructor(child: ChildProcess, files: GatewayFiles) {
    this.#child = child;
    this.#files = files;
    this.#gone = new Promise((resolve) => {
      child.once('error', (error) => resolve(error.message));
      child.once('close', (code, killed) => resolve(`exit ${code ?? killed}`));
    }).then((how) => {
      this.#alive = false;
      return String(how);
    });
  }

  /** Starts it and does not wait; its log goes to a file. */
  static async start(network: Network, files: GatewayFiles): Promise<GatewayProcess> {
    const log = await open(files.log, 'a');
    try {
      // The parent's death takes it along, however we die: nothing is left running.
      const argv = within(network.namespace('gateway'), [program, 'gateway', '--config', files.config]);
      const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...argv], {
        stdio: ['ignore', log.fd, log.fd],
        env: clearEnvironment(),
      });
      return new GatewayProcess(child, files);
    } finally {
      await log.close();
    }
  }

  /** Another one with the same files. */
  again(network: Network): Promise<GatewayProcess> {
    return GatewayProcess.start(network, this.#files);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get alive(): boolean {
    return this.#alive;
  }

  /**
   * Waits until it has read the whole cluster and made the kernel so.
   *
   * @throws Error with the end of its log when it dies or does not get there
   */
  async synced(signal: AbortSignal): Promise<void> {
    const argv = [program, 'status', '--config', this.#files.config, '--wait-synced', '--timeout', '10'];
    const stop = new AbortController();
    const asked = outcome({ argv }, AbortSignal.any([signal, stop.signal]));
    asked.catch(() => undefined);
    const result = await Promise.race([asked, this.#gone]);
    if (typeof result === 'string') {
      stop.abort();
      throw new Error(`eiproute gateway: ${result}\n${await this.logTail()}`);
    }
    if (result.status !== 0) {
      throw new Error(`eiproute status: ${result.status}: ${result.err}\n${await this.logTail()}`);
    }
  }

  /** What `eiproute status` says of the first list that is not heard now; undefined: all are. */
  async trouble(signal: AbortSignal): Promise<string | undefined> {
    const argv = [program, 'status', '--config', this.#files.config, '--json'];
    const answer: Json = JSON.parse(await run({ argv }, signal));
    const troubled = listAt(answer, 'feeds').find((feed) => textAt(feed, 'trouble') !== '');
    return troubled === undefined
      ? undefined
      : `${textAt(troubled, 'resource')}: ${textAt(troubled, 'trouble')}`;
  }

  /** @returns how it ended */
  async kill(how: 'SIGTERM' | 'SIGKILL', signal: AbortSignal): Promise<string> {
    this.#child.kill(how);
    return await unlessAborted(this.#gone, signal);
  }

  async logTail(): Promise<string> {
    const text = await readFile(this.#files.log, 'utf8');
    return text.trimEnd().split('\n').slice(-20).join('\n');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#gone;
  }
}

/** Ours, without settings that would change what the demo's gateway does. */
export function clearEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !name.startsWith('EIPROUTE_') && name !== 'STATE_DIRECTORY' && name !== 'RUNTIME_DIRECTORY',
    ),
  );
}
