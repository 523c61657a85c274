import { type Command, InvalidArgumentError } from 'commander';
import type { Trace } from '../explain/trace.ts';
import { type Ip, parseIp } from '../model/ip.ts';
import { readGatewayOnly } from './any-config.ts';
import { type Cli, printJson } from './cli.ts';
import { type ExitCode, exit } from './exit.ts';
import { optionsOf } from './options.ts';
import { painter } from './paint.ts';
import type { Program } from './program.ts';

interface Options {
  readonly probe?: boolean;
  readonly from?: Ip;
  readonly json?: boolean;
}

export function addTrace({ root, run }: Program): void {
  root
    .command('trace')
    .description('show step by step why an address works or does not')
    .argument(
      '<EIP|SERVICE|ADDRESS:PORT>',
      'an EIP, NAMESPACE/NAME or NAME of a Service, or an EIP with a port',
    )
    .option('--probe', 'open connections to the address as well')
    .option('--from <address>', 'trace the packets of this client (default: one beyond the uplink)', address)
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExit codes: 0 it works, 1 it is broken, 2 it is not known.')
    .action(run(show));
}

function address(text: string): Ip {
  try {
    return parseIp(text);
  } catch (error) {
    if (error instanceof RangeError) throw new InvalidArgumentError(`${error.message}.`);
    throw error;
  }
}

async function show(cli: Cli, command: Command): Promise<ExitCode> {
  const { probe, from, json } = optionsOf<Options>(command);
  const [text = ''] = command.args;
  const { parseTarget } = await import('../explain/target.ts');
  const target = parseTarget(text);
  if (target === undefined)
    command.error(
      `error: "${text}" is no address, no ADDRESS:PORT ([ADDRESS]:PORT for IPv6) and no name of a Service`,
    );
  const config = await readGatewayOnly(cli, command, 'EIPs');
  if (config === undefined) return exit.config;
  const { LinuxKernel } = await import('../kernel/linux.ts');
  const { inquire } = await import('../explain/trace-inquiry.ts');
  const { trace } = await import('../explain/trace.ts');
  await using kernel = await LinuxKernel.open(config.stateDirectory);
  const facts = await inquire(
    target,
    { config, kernel, how: probe ? 'probe' : 'look', client: from },
    cli.signal,
  );
  const traces = facts.map(trace);
  if (json) printJson(cli, { traces });
  else {
    const { traceText } = await import('./trace-text.ts');
    const paint = painter(cli);
    cli.stdout.write(traces.map((one) => traceText(one, paint)).join('\n'));
  }
  return codeOf(traces);
}

function codeOf(traces: readonly Trace[]): ExitCode {
  if (traces.some(({ verdict }) => verdict === 'broken')) return exit.broken;
  return traces.some(({ verdict }) => verdict === 'not known') ? exit.notKnown : exit.ok;
}
