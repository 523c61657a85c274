import { request } from 'undici';
import { openSession } from '../../src/cluster/credentials.ts';

// node bench/runs/read.ts KUBECONFIG
// Reads the lists as the daemon does, page by page and side by side, and does not parse them: the least that the API
// server and TLS let a start take. Prints {"time":ms,"work":ms,"bytes":n}.

const [kubeconfig] = process.argv.slice(2);
const paths = ['/api/v1/services', '/apis/discovery.k8s.io/v1/endpointslices', '/api/v1/nodes'];
const before = process.cpuUsage();
const started = performance.now();
const { server, dispatcher, headers } = await openSession({ kubeconfig, context: undefined });
let bytes = 0;

async function read(path: string): Promise<void> {
  let next: string | undefined = '';
  while (next !== undefined) {
    const target: string = `${server}${path}?limit=500${next && `&continue=${encodeURIComponent(next)}`}`;
    const { body } = await request(target, { dispatcher, headers: await headers() });
    const page: Buffer = Buffer.from(await body.arrayBuffer());
    bytes += page.length;
    [, next] = /"continue":"([^"]+)"/.exec(page.toString('latin1', 0, 1000)) ?? [];
  }
}

await Promise.all(paths.map(read));
const time = performance.now() - started;
const { user, system } = process.cpuUsage(before);
process.stdout.write(`${JSON.stringify({ time, work: (user + system) / 1000, bytes })}\n`);
await dispatcher.destroy();
