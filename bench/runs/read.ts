import { openSession } from '../../src/cluster/credentials.ts';
import { protobufType, protobufWire } from '../../src/cluster/protobuf-wire.ts';
import { request } from '../../src/cluster/request.ts';
import type { Resource } from '../../src/model/cluster.ts';

// node bench/runs/read.ts KUBECONFIG
// Reads the lists as the daemon does, page by page and side by side, and reads no object in them: the least that the API
// server and TLS let a start take. Prints {"time":ms,"work":ms,"bytes":n}.

const [kubeconfig] = process.argv.slice(2);
const paths: Readonly<Record<Resource, string>> = {
  services: '/api/v1/services',
  endpointslices: '/apis/discovery.k8s.io/v1/endpointslices',
  nodes: '/api/v1/nodes',
};
const before = process.cpuUsage();
const started = performance.now();
const session = await openSession({ kubeconfig, context: undefined });
let bytes = 0;

async function read(resource: Resource): Promise<void> {
  let next: string | undefined = '';
  while (next !== undefined) {
    const query: string = `?limit=2000${next && `&continue=${encodeURIComponent(next)}`}`;
    const { body } = await request(session, `${paths[resource]}${query}`, {
      headers: { ...(await session.headers()), accept: protobufType },
      signal: AbortSignal.timeout(60_000),
    });
    const page: Buffer = Buffer.from(await body.arrayBuffer());
    bytes += page.length;
    ({ next } = protobufWire.page(page, resource));
  }
}

await Promise.all([read('services'), read('endpointslices'), read('nodes')]);
const time = performance.now() - started;
const { user, system } = process.cpuUsage(before);
process.stdout.write(`${JSON.stringify({ time, work: (user + system) / 1000, bytes })}\n`);
await session.dispatcher.destroy();
