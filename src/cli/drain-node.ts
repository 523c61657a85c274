import { resolve } from 'node:path';
import type { Command } from 'commander';
import { printable } from '../model/text.ts';
import { readGatewayOnly } from './any-config.ts';
import { type Cli, Failure } from './cli.ts';
import { type ExitCode, exit } from './exit.ts';
import { optionsOf } from './options.ts';
import type { Handler, Program } from './program.ts';

export function addDrainNode({ root, run }: Program): void {
  root
    .command('drain <node>')
    .description('give a node no new flows; it keeps the old ones until drain.limit')
    .option('--kubeconfig <file>', 'with the right to patch nodes (default: that of the gateway)')
    .action(run(mark('drain')));
  root
    .command('undrain <node>')
    .description('give a node new flows again')
    .option('--kubeconfig <file>', 'with the right to patch nodes (default: that of the gateway)')
    .action(run(mark('undrain')));
}

function mark(to: 'drain' | 'undrain'): Handler {
  return async (cli, command) => markNode(cli, command, command.args[0] ?? '', to);
}

/** Sets or removes the annotation, which every gateway of the cluster follows. */
async function markNode(
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
  const own = source.kind === 'kubernetes' ? source : { kubeconfig: undefined, context: undefined };
  const access =
    kubeconfig === undefined ? own : { kubeconfig: resolve(cli.cwd, kubeconfig), context: undefined };
  try {
    await setDrain(access, node, to, cli.signal);
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    throw new Failure(`${printable(error.message)}; ${printable(error.advice)}`, { cause: error });
  }
  const what = to === 'drain' ? 'gets no new flows from now on' : 'gets new flows again';
  cli.stdout.write(`node ${printable(node)} ${what}; eiproute status shows it\n`);
  return exit.ok;
}
