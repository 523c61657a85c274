import { join } from 'node:path';
import type { Network } from '../network/network.ts';
import { Process } from '../process/process.ts';

/** Programs of a node that are played, and the ports that they listen on. */
const ports = { kubelet: 10_250, 'kube-proxy': 10_256 } as const;

export type NodeProgram = keyof typeof ports;

/**
 * The kubelet says to a question in the clear what a server of Go that wants TLS says, and nothing else. kube-proxy says that it is
 * well, over a connection that it keeps.
 */
const sources: Readonly<Record<NodeProgram, string>> = {
  kubelet: `require('node:net').createServer((socket) => socket.on('error', () => {}).once('data', () =>
    socket.end('HTTP/1.0 400 Bad Request\\r\\n\\r\\nClient sent an HTTP request to an HTTPS server.\\n')))
    .listen(${ports.kubelet});`,
  'kube-proxy': `require('node:http').createServer({ keepAliveTimeout: 0 }, (_, answer) => answer.end('{}'))
    .listen(${ports['kube-proxy']});`,
};

/**
 * On every node a process for each of these programs, in its namespace, so that it can be stopped alone or with all the others. Their
 * ports are all that there is of them.
 */
export class NodePrograms implements AsyncDisposable {
  readonly #processes = new Map<string, Process>();

  /** Starts all; resolves when each listens. */
  static async start(
    network: Network,
    programs: readonly NodeProgram[],
    signal: AbortSignal,
  ): Promise<NodePrograms> {
    await using stack = new AsyncDisposableStack();
    const started = stack.use(new NodePrograms());
    for (const node of network.nodes)
      for (const program of programs) await started.#start(network, node, program, signal);
    stack.move();
    return started;
  }

  signal(node: string, program: NodeProgram, how: NodeJS.Signals): void {
    const process = this.#processes.get(key(node, program));
    if (process === undefined) throw new Error(`no ${program} is played on ${node}`);
    process.signal(how);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#processes.values()].map((each) => each[Symbol.asyncDispose]()));
  }

  async #start(network: Network, node: string, program: NodeProgram, signal: AbortSignal): Promise<void> {
    const started = await Process.start({
      namespace: network.namespace(node),
      argv: [process.execPath, '-e', sources[program]],
      log: join(network.folder, `${node}-${program}.log`),
    });
    this.#processes.set(key(node, program), started);
    const listening = ['ss', '-Hltn', 'sport', '=', `:${ports[program]}`];
    const listens = async (): Promise<true | undefined> =>
      (await network.run(node, { argv: listening })) === '' ? undefined : true;
    await started.serves(`the ${program} of ${node} listens`, listens, signal);
  }
}

function key(node: string, program: NodeProgram): string {
  return `${node} ${program}`;
}
