import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { natScript } from '../../src/model/nat.ts';
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
  const object = change.verb === 'delete' ? change.have : change.want;
  running.child.stdin?.end(object.kind === 'nft' ? model.nftScript(change) : natScript([change]));
  await running;
}
