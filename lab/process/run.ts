import { spawn } from 'node:child_process';
import { namespacePath } from './namespace.ts';

/** A command that did not end with 0; the message holds the command, its status and its own words. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}

export interface Command {
  readonly argv: readonly string[];
  readonly input?: string;
}

/**
 * @returns what it wrote to stdout
 * @throws CommandError when it cannot be started, is killed, or ends with another status than 0
 */
export async function run({ argv, input = '' }: Command, signal?: AbortSignal): Promise<string> {
  const { status, out, err } = await outcome({ argv, input }, signal);
  if (status === 0) return out;
  const first = input === '' ? '' : `\ninput was:\n${numbered(input)}`;
  throw new CommandError(`${argv.join(' ')}: ${status}: ${err.trim() || 'no message'}${first}`);
}

export interface Outcome {
  /** The exit status, or the name of the signal. */
  readonly status: number | string;
  readonly out: string;
  readonly err: string;
}

/** Like {@link run}, for commands whose failure is an answer. */
export function outcome({ argv, input = '' }: Command, signal?: AbortSignal): Promise<Outcome> {
  const [file = '', ...args] = argv;
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      stdio: 'pipe',
      // Debian's PATH of a user lacks these, where nft is.
      env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` },
      // A child that outlives an abort would hold its namespace.
      killSignal: 'SIGKILL',
      ...(signal && { signal }),
    });
    let out = '';
    let err = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      err += text;
    });
    // A command may end without reading its input; its status tells the story.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    // There may be two: it ends by the signal, and something was wrong with it before.
    child.on('error', (cause) =>
      reject(signal?.aborted ? cause : new CommandError(`${argv.join(' ')}: ${cause.message}`, { cause })),
    );
    child.once('close', (code, killed) => resolve({ status: code ?? killed ?? 'unknown', out, err }));
  });
}

/** A command inside a network namespace. nsenter, since `ip netns exec` mounts a new /sys each time. */
export function within(namespace: string, argv: readonly string[]): readonly string[] {
  return ['nsenter', `--net=${namespacePath(namespace)}`, ...argv];
}

/**
 * Many `ip` commands by one process.
 *
 * @param options what goes before `-batch`: `-n`, a namespace, `-6`
 */
export async function ipBatch(
  options: readonly string[],
  lines: readonly string[],
  signal?: AbortSignal,
): Promise<void> {
  if (lines.length === 0) return;
  await run({ argv: ['ip', ...options, '-batch', '-'], input: `${lines.join('\n')}\n` }, signal);
}

function numbered(text: string): string {
  return text
    .split('\n')
    .map((line, i) => `${String(i + 1).padStart(4)}  ${line}`)
    .join('\n');
}
