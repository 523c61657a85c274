import { type Command, Option } from 'commander';
import { type Cli, Failure } from './cli.ts';
import { type ExitCode, exit } from './exit.ts';
import { optionsOf } from './options.ts';
import type { Program } from './program.ts';

export function addDemo({ root, run }: Program): void {
  root
    .command('demo')
    .description('show it on a cluster of network namespaces; leaves no trace')
    .addOption(
      new Option(
        '--cluster <kind>',
        'the control plane: embedded (played), or a real Kubernetes with its kube-proxy',
      )
        .choices(['embedded', 'real'])
        .default('embedded'),
    )
    .option('--keep', 'leave it up to play with, until Ctrl-C')
    .option('--clean', 'only remove what a killed demo left behind')
    .option('--json', 'print the result as JSON; the story goes to stderr')
    .action(run(demo));
}

interface DemoFlags {
  readonly keep?: boolean;
  readonly clean?: boolean;
  readonly json?: boolean;
  readonly cluster: 'embedded' | 'real';
}

async function demo(cli: Cli, command: Command): Promise<ExitCode> {
  const { demo: play } = await import('../../lab/demo/demo.ts');
  const { CommandError } = await import('../../lab/process/run.ts');
  const { keep, clean, json, cluster } = optionsOf<DemoFlags>(command);
  try {
    const code = await play(
      {
        mode: clean ? 'clean' : keep ? 'keep' : 'play',
        cluster,
        output: json ? 'json' : 'text',
        stdout: cli.stdout,
        stderr: cli.stderr,
        env: cli.env,
      },
      cli.signal,
    );
    return Object.values(exit).find((each) => each === code) ?? exit.failed;
  } catch (cause) {
    // A failed command of the machine is no bug of ours.
    if (cause instanceof CommandError) throw new Failure(cause.message, { cause });
    throw cause;
  }
}
