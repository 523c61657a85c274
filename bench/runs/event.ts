import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { kinds } from '../../lab/cluster/api/kinds.ts';
import { type ApiServer, startApiServer } from '../../lab/cluster/api-server.ts';
import { LinuxKernel } from '../../src/kernel/linux.ts';
import { ownerOf } from '../../src/model/owner.ts';

// Run in a fresh network namespace: node bench/event.ts FOLDER SERVICES EVENTS
// The daemon as its own process, an API server over TLS in this one. Prints
// {"start":ms,"startWork":ms,"events":[ms,...],"work":ms,"rss":bytes,"rssIdle":bytes}: the start-up until all is in
// the kernel, the time of each event from the API server's store to the kernel's own notification, the daemon's
// processor time for the start and for one event, and its memory.

const [folder = '.', services = 0, events = 0] = process.argv
  .slice(2)
  .map((word, i) => (i === 0 ? word : Number(word)));
const nodes = 100;
const ip = (command: string): void => {
  execFileSync('ip', command.split(' '));
};

function kindOf(name: string) {
  const kind = kinds.find((one) => one.kind === name);
  if (kind === undefined) throw new Error(`the API server has no ${name}`);
  return kind;
}
const serviceKind = kindOf('Service');
const sliceKind = kindOf('EndpointSlice');
const nodeKind = kindOf('Node');

function slice(i: number, on: readonly number[]) {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    addressType: 'IPv4',
    metadata: { name: `s${i}-1`, namespace: 'default', labels: { 'kubernetes.io/service-name': `s${i}` } },
    endpoints: on.map((node) => ({
      addresses: [`10.244.${node}.${(i % 250) + 1}`],
      nodeName: `n${node}`,
      conditions: { ready: true },
    })),
  };
}

/** A quarter of the Services is Local with two endpoints: some thousand different sets of nodes. */
function fill(api: ApiServer): void {
  for (let i = 0; i < nodes; i += 1) {
    api.objects.create(nodeKind, {
      metadata: { name: `n${i}` },
      status: { addresses: [{ type: 'InternalIP', address: `10.0.0.${i + 10}` }] },
    });
  }
  for (let i = 0; i < Number(services); i += 1) {
    api.objects.create(serviceKind, {
      metadata: { name: `s${i}`, namespace: 'default' },
      spec: {
        type: 'LoadBalancer',
        externalTrafficPolicy: i % 4 === 0 ? 'Local' : 'Cluster',
        ports: [{ port: 80, protocol: 'TCP' }],
      },
      status: { loadBalancer: { ingress: [{ ip: `198.18.${i >> 8}.${i & 255}` }] } },
    });
    api.objects.create(sliceKind, slice(i, [i % nodes, (i * 7 + 1) % nodes]));
  }
}

function memoryOf(child: ChildProcess): number {
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8')) ?? [];
  return Number(kib) * 1024;
}

/** ms of processor time until now, of all threads: what other load on the machine does not falsify. */
function workOf(child: ChildProcess): number {
  const tasks = `/proc/${child.pid}/task`;
  const times = readdirSync(tasks).map((task) => readFileSync(`${tasks}/${task}/schedstat`, 'utf8'));
  return times.reduce((sum, text) => sum + Number(text.split(' ')[0]), 0) / 1e6;
}

ip('link set lo up');
ip('link add eth0 type veth peer name peer0');
ip('link add eth1 type veth peer name peer1');
for (const name of ['eth0', 'peer0', 'eth1', 'peer1']) ip(`link set ${name} up`);
ip('address add 10.0.0.1/24 dev eth0');
ip('address add 203.0.113.1/24 dev eth1');

const stop = new AbortController();
await using api = await startApiServer();
fill(api);
const file = join(String(folder), 'gateway.json');
writeFileSync(join(String(folder), 'kubeconfig'), api.kubeconfig());
writeFileSync(
  file,
  JSON.stringify({
    kubeconfig: 'kubeconfig',
    lan: 'eth0',
    uplink: 'eth1',
    pools: [{ name: 'bench', addresses: ['198.18.0.0/16'] }],
    stateDirectory: 'state',
    runtimeDirectory: 'run',
  }),
);

// The daemon's writes are news to this second reader of the kernel.
await using kernel = await LinuxKernel.open(join(String(folder), 'witness'));
await kernel.list(
  { owner: ownerOf(86), tables: [254], sysctls: [], nftTables: [], neighbours: [] },
  stop.signal,
);
const hints = kernel.hints(stop.signal)[Symbol.asyncIterator]();

const started = performance.now();
const daemon = spawn('bin/eiproute', ['--config', file, '--log-level', 'error', 'gateway'], {
  stdio: ['ignore', 'inherit', 'inherit'],
});
const ended = new Promise<void>((resolve) => daemon.once('exit', () => resolve()));
await promisify(execFile)('bin/eiproute', ['--config', file, 'status', '--wait-synced'], {
  maxBuffer: 1 << 30,
});
const start = performance.now() - started;
const rss = memoryOf(daemon);
const startWork = workOf(daemon);

/** Until the kernel tells of the route. */
async function told(words: string): Promise<void> {
  while (true) {
    const { done, value } = await hints.next();
    if (done) throw new Error('the kernel fell silent');
    if (value.text.startsWith(words)) return;
  }
}

const times: number[] = [];
for (let i = 0; i < Number(events); i += 1) {
  const at = ((i * 37) % Number(services)) & ~1;
  const to = `198.18.${at >> 8}.${at & 255}/32`;
  const before = performance.now();
  api.objects.update(sliceKind, slice(at, []));
  await told(`route deleted: ${to}`);
  times.push(performance.now() - before);
  const again = performance.now();
  api.objects.update(sliceKind, slice(at, [at % nodes, (at * 7 + 1) % nodes]));
  await told(`route added: ${to}`);
  times.push(performance.now() - again);
}
const rssIdle = memoryOf(daemon);
const work = (workOf(daemon) - startWork) / times.length;
stop.abort();
daemon.kill();
await ended;
process.stdout.write(`${JSON.stringify({ start, startWork, events: times, work, rss, rssIdle })}\n`);
