import { hostname, userInfo } from 'node:os';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { printable } from '../model/text.ts';
import type { MovedStatus } from '../status/moved.ts';
import { readGatewayOnly } from './any-config.ts';
import { type Cli, Failure } from './cli.ts';
import { type ExitCode, exit } from './exit.ts';
import { optionsOf } from './options.ts';

/** Sets or removes the annotation, which every gateway of the cluster follows. */
export async function markNode(
  cli: Cli,
  command: Command,
  node: string,
  to: 'drain' | 'undrain',
): Promise<ExitCode> {
  const config = await readGatewayOnly(cli, command, 'drained nodes');
  if (config === undefined) return exit.config;
  const { kubeconfig } = optionsOf<{ readonly kubeconfig?: string }>(command);
  const { source } = config;
  if (source.kind === 'file' && kubeconfig === undefined) {
    throw new Failure(
      `the cluster is read from ${source.path}: set the annotation eiproute.io/drain of the Node there`,
    );
  }
  const { setDrain } = await import('../cluster/node-drain.ts');
  const { RequestError } = await import('../cluster/writer.ts');
  const { sourcesOf } = await import('../daemon/source.ts');
  const { clusterOf, nameInside } = await import('../model/cluster.ts');
  const all = sourcesOf(source);
  const own = all.find(({ name }) => name === clusterOf(node));
  if (own === undefined && kubeconfig === undefined) {
    const names = all.map(({ name }) => `${name}:${nameInside(node)}`);
    throw new Failure(`there are several clusters: name the node with its cluster, ${names.join(' or ')}`);
  }
  const named = kubeconfig === undefined ? undefined : resolve(cli.cwd, kubeconfig);
  const access =
    named === undefined && own?.access !== undefined ? own.access : { kubeconfig: named, context: undefined };
  try {
    await setDrain(access, nameInside(node), to === 'drain' ? asker(cli) : undefined, cli.signal);
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    throw new Failure(`${printable(error.message)}; ${printable(error.advice)}`, { cause: error });
  }
  const what = to === 'drain' ? await drained(cli, config.runtimeDirectory, node) : 'gets new flows again';
  cli.stdout.write(`node ${printable(node)} ${what}; eiproute status shows it\n`);
  return exit.ok;
}

/** ms; the agents hear of a drain a second before the traffic moves */
const patience = 10_000;
/** ms between two questions to the gateway */
const pace = 100;

/**
 * Waits until the gateway of this host sends the node no new flows.
 *
 * @returns how it is, as the end of a sentence
 * @throws Failure when it still does after {@link patience}
 */
async function drained(cli: Cli, runtimeDirectory: string, node: string): Promise<string> {
  const { ask } = await import('../daemon/ask.ts');
  const { DaemonError } = await import('../daemon/daemon-error.ts');
  const { some } = await import('../status/need.ts');
  let moved: MovedStatus;
  const until = performance.now() + patience;
  try {
    do {
      const path = `/moved?node=${encodeURIComponent(node)}` as const;
      moved = JSON.parse(await ask(runtimeDirectory, 'gateway', 'GET', path, cli.signal));
      if (moved.state !== 'moved') await sleep(pace, undefined, { signal: cli.signal });
    } while (moved.state !== 'moved' && performance.now() < until);
  } catch (error) {
    if (!(error instanceof DaemonError)) throw error;
    return `gets no new flows any more, in two seconds at most: no gateway here says when (${error.message})`;
  }
  if (moved.state === 'unknown')
    throw new Failure(
      `node ${printable(node)} is to drain, and the gateway of this host does not know it after ${patience / 1000} s: eiproute status says why`,
    );
  if (moved.state !== 'moved')
    throw new Failure(
      `node ${printable(node)} is to drain, and the gateway of this host still sends it new flows after ${patience / 1000} s; it goes on trying: eiproute status says why`,
    );
  const still = moved.kept === 1 ? '1 EIP still leads' : `${moved.kept} EIPs still lead`;
  const kept = moved.kept > 0 ? `; ${still} there, since no other node can serve it` : '';
  const deaf =
    moved.deaf.length > 0
      ? `; its connections that come to ${some(moved.deaf)} break, whose agents do not tell that they follow the gateways`
      : '';
  return `gets no new flows any more${kept}${deaf}`;
}

/** `root@gw1`, or who became root by sudo. */
function asker({ env }: Cli): string {
  return `${env['SUDO_USER'] ?? userInfo().username}@${hostname()}`;
}
