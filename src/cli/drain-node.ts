import { hostname, userInfo } from 'node:os';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { printable } from '../model/text.ts';
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
  const what = to === 'drain' ? 'gets no new flows any more, in a second or so' : 'gets new flows again';
  cli.stdout.write(`node ${printable(node)} ${what}; eiproute status shows it\n`);
  return exit.ok;
}

/** `root@gw1`, or who became root by sudo. */
function asker({ env }: Cli): string {
  return `${env['SUDO_USER'] ?? userInfo().username}@${hostname()}`;
}
