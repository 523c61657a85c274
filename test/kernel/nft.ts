import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import * as model from '../../src/model/nft.ts';
import type { Change } from '../../src/model/object.ts';

const run = promisify(execFile);

/** Runs nft, words separated by blanks; throws with its words when it fails. */
export async function nft(...words: readonly string[]): Promise<string> {
  const { stdout } = await run('nft', words.join(' ').split(/\s+/).filter(Boolean));
  return stdout;
}

/** Another program makes this change. */
export async function nftScript(change: Change): Promise<void> {
  const running = run('nft', ['-f', '-']);
  running.child.stdin?.end(model.nftScript(change));
  await running;
}
