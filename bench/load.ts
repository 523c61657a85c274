import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { availableParallelism, loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { ready } from '../lab/cluster/cluster.ts';
import { embedded } from '../lab/lab.ts';
import { processorSeconds } from '../lab/process/process.ts';
import { within } from '../lab/process/run.ts';
import { Stage } from '../test/lab/stage.ts';
import { table } from './table.ts';

/** Busy processes on the node, for each core of the machine. */
const busyEach = 4;
/** What the gateway says when it believes that a node does not answer, or doubts it. */
const alarms = ['node-silent', 'node-flaps', 'probe-doubted', 'probe-blind', 'node-hung', 'hung-doubted'];

/**
 * Whether a node whose programs burn all processor time is believed to be dead: a gateway with the shipped defaults
 * watches three nodes for ten minutes (EIPROUTE_MINUTES makes it shorter). The cores are the gateway's as well, so it is
 * starved as much as the node is.
 */
export async function load(): Promise<string> {
  const minutes = Number(process.env['EIPROUTE_MINUTES'] ?? 10);
  await using stage = await Stage.open(embedded, 'allocate: true', { programs: ['kube-proxy', 'kubelet'] });
  const { network, cluster, clients } = stage.lab;
  await stage.layPods();
  await cluster.createService({ name: 'web', policy: 'Local' }, ready(stage.pods('web-1', 'web-2', 'web-3')));
  await stage.serving('web');
  await stage.until('the gateway is OK', () => stage.isOk());
  const count = busyEach * availableParallelism();
  await using requests = clients.start({ to: stage.ips('web'), port: 80, every: 100 });
  const start = Date.now();
  const burn = ['setpriv', '--pdeathsig', 'KILL', 'sh', '-c', 'while :; do :; done'];
  const [file = '', ...words] = within(network.namespace('node2'), burn);
  await using busy = new AsyncDisposableStack();
  const pids: number[] = [];
  for (let i = 0; i < count; i += 1) {
    const child = spawn(file, words, { stdio: 'ignore' });
    if (child.pid !== undefined) pids.push(child.pid);
    busy.defer(() => void child.kill('SIGKILL'));
  }
  await sleep(minutes * 60_000);
  const burnt = (await Promise.all(pids.map((pid) => processorSeconds(pid)))).reduce((a, b) => a + b, 0);
  const seconds = (Date.now() - start) / 1000;
  const [, , mean = 0] = loadavg();
  await busy.disposeAsync();
  const { sent, lost, gap } = await requests.stop(start);
  const log = (await readFile(stage.eiproute.files.log, 'utf8')).split('\n');
  const said = (code: string): number => log.filter((line) => line.includes(`"code":"${code}"`)).length;
  return [
    `a node under full load for ${minutes} minutes, with the shipped defaults: ${count} busy processes on it, ${availableParallelism()} cores in all`,
    table([
      ['', 'seen'],
      [
        'processor time burnt on the node, % of all cores',
        ((burnt / seconds / availableParallelism()) * 100).toFixed(0),
      ],
      ['load, the mean of the last 15 minutes', mean.toFixed(1)],
      ...alarms.map((code) => [`alarms ${code} (aim: 0)`, String(said(code))]),
      ['requests that failed, of those sent, to all three nodes', `${lost} of ${sent}`],
      ['the longest time without an answer, ms', String(Math.round(gap))],
    ]),
  ].join('\n');
}
