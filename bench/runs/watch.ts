import { kubernetesCluster } from '../../src/cluster/kubernetes.ts';

// node bench/runs/watch.ts KUBECONFIG
// Reads the cluster as the daemon does, and does nothing with it: prints a line when all lists are in, and then one for
// each change: when, in ms since the epoch, and the Services that it touched.

const [kubeconfig] = process.argv.slice(2);
const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
await using cluster = kubernetesCluster({ kubeconfig, context: undefined });
const say = (words: string): unknown =>
  process.stdout.write(`${performance.timeOrigin + performance.now()} ${words}\n`);
let isComplete = false;
for await (const { services } of cluster.changes(stop.signal)) {
  const { complete } = cluster.overview();
  if (complete && !isComplete) say('complete');
  else if (complete && services !== 'all') say([...services].join(' '));
  isComplete = complete;
}
