import { Command, CommanderError, Option } from 'commander';
import { defaultFile, fileVariable } from '../config/default-file.ts';
import { addBird } from './bird.ts';
import type { Cli } from './cli.ts';
import { addConfig } from './config.ts';
import { addDemo } from './demo.ts';
import { addDoctor } from './doctor.ts';
import { addDrain } from './drain.ts';
import { ending } from './ending.ts';
import { addEvents } from './events.ts';
import { type ExitCode, exit } from './exit.ts';
import { addFrr } from './frr.ts';
import { addGateway } from './gateway.ts';
import { addNode } from './node.ts';
import { addPlan } from './plan.ts';
import { addPools } from './pools.ts';
import { addPurge } from './purge.ts';
import { addRelease } from './release.ts';
import { addStatus } from './status.ts';
import { addTrace } from './trace.ts';
import { addVersion, release } from './version.ts';

/** The action of a command; resolves with its exit code. */
export type Handler = (cli: Cli, command: Command) => Promise<ExitCode>;

/** The parameters of each command file: `root.command('plan').action(run(plan))`. */
export interface Program {
  readonly root: Command;
  readonly run: (handler: Handler) => (this: Command) => Promise<void>;
}

/**
 * Runs one command line. The files of commands are small and import heavy modules inside their handlers, so that
 * `version` and `--help` start fast.
 *
 * @param argv without the program's own name
 */
export async function runProgram(argv: readonly string[], cli: Cli): Promise<ExitCode> {
  let code: ExitCode = exit.ok;
  const program: Program = {
    root: root(cli),
    run: (handler) =>
      async function (this: Command): Promise<void> {
        code = await handler(cli, this);
      },
  };
  addGateway(program);
  addNode(program);
  addPlan(program);
  addStatus(program);
  addTrace(program);
  addDoctor(program);
  addEvents(program);
  addPools(program);
  addRelease(program);
  addDrain(program);
  addBird(program);
  addFrr(program);
  addPurge(program);
  addConfig(program);
  addDemo(program);
  addVersion(program);
  hintAtHelp(program.root, program.root.name());
  try {
    await program.root.parseAsync(argv, { from: 'user' });
    return code;
  } catch (error) {
    // commander throws for help as well as for errors, and has printed either.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exit.ok : exit.usage;
    const end = ending(error, cli.signal);
    cli.stderr.write(end.text);
    return end.code;
  }
}

/** Each command's errors name the help that has its options. */
function hintAtHelp(command: Command, words: string): void {
  command.configureOutput({
    outputError: (text, write) => write(`${oneLine(text)}; see "${words} --help"\n`),
  });
  for (const sub of command.commands) hintAtHelp(sub, `${words} ${sub.name()}`);
}

function root(cli: Cli): Command {
  return (
    new Command('eiproute')
      .description('external addresses for Kubernetes on plain Linux routers')
      .version(`eiproute ${release}`, '-V, --version', 'show the version')
      .option('--config <file>', `the configuration (default: $${fileVariable}, else ${defaultFile})`)
      .addOption(
        new Option('--log-level <level>', 'the lowest level that is logged').choices([
          'debug',
          'info',
          'warn',
          'error',
        ]),
      )
      .addOption(
        new Option('--log-format <format>', 'how a log line looks').choices(['auto', 'pretty', 'json']),
      )
      // Before the subcommands are added: they inherit these settings.
      .exitOverride()
      .showSuggestionAfterError()
      .configureHelp({ showGlobalOptions: true })
      .configureOutput({
        writeOut: (text) => cli.stdout.write(text),
        writeErr: (text) => cli.stderr.write(text),
        getOutHelpWidth: () => cli.stdout.columns ?? 100,
        getErrHelpWidth: () => cli.stderr.columns ?? 100,
      })
  );
}

/** commander breaks an error and its suggestion into two lines. */
function oneLine(text: string): string {
  return text
    .trim()
    .replace(/^error: /, 'eiproute: ')
    .replace(/\s*\n\s*/g, ' ')
    .replace(/\.$/, '');
}
