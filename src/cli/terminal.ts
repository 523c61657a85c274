import type { Readable, Writable } from 'node:stream';
import { type Cli, Failure } from './cli.ts';

/** A person who can be asked. */
export interface Terminal {
  /** @returns the line; empty at the end of the input */
  question(text: string, signal: AbortSignal): Promise<string>;
}

export function terminalOf(input: Readable, output: Writable): Terminal {
  return {
    async question(text, signal) {
      const { createInterface } = await import('node:readline');
      signal.throwIfAborted();
      output.write(text);
      const { promise, resolve, reject } = Promise.withResolvers<string>();
      // Not as a terminal: Ctrl-C stays a signal.
      const lines = createInterface({ input, terminal: false });
      const stop = (): void => reject(signal.reason);
      signal.addEventListener('abort', stop, { once: true });
      lines.once('line', resolve);
      lines.once('close', () => resolve(''));
      try {
        return await promise;
      } finally {
        signal.removeEventListener('abort', stop);
        lines.close();
      }
    },
  };
}

/**
 * Asks before what cannot be undone.
 *
 * @param what is done, for who has no terminal: 'purge removes 12 objects'
 * @throws Failure without a terminal
 */
export async function isAgreed(cli: Cli, what: string, question: string): Promise<boolean> {
  if (cli.terminal === undefined)
    throw new Failure(`${what}, and stdin is no terminal to ask on: say --yes if that is meant`);
  const answer = await cli.terminal.question(`${question} Only "yes" is accepted: `, cli.signal);
  return answer.trim() === 'yes';
}
