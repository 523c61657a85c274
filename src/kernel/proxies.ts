import { type Change, changeObject, type Key, keyOf, type ProxyNeighbour } from '../model/object.ts';
import { KernelError } from './kernel.ts';
import type { Batcher, Run } from './netlink/batch.ts';

/**
 * Adds proxy neighbours; the run holds nothing else. Linux ignores NLM_F_EXCL for proxy entries and changes the
 * protocol of an existing one, so existing entries are looked up first. An entry that another program adds between
 * the lookup and our message is still taken over.
 */
export async function addProxies(batcher: Batcher, run: Run, signal: AbortSignal): Promise<void> {
  const wanted: { readonly index: number; readonly want: ProxyNeighbour }[] = [];
  for (let index = run.from; index < run.to; index += 1) {
    const change = run.changes[index];
    const want = change && changeObject(change);
    if (want?.kind === 'neighbour') wanted.push({ index, want });
  }
  const taken = await batcher.taken(
    wanted.map(({ want }) => want),
    signal,
  );
  const seen = new Set<Key>();
  const free = wanted.filter(({ index, want }, i) => {
    const key = keyOf(want);
    if (!taken[i] && !seen.has(key)) {
      seen.add(key);
      return true;
    }
    run.outcomes[index] = new KernelError('EEXIST', 'there is a proxy entry for this address already');
    return false;
  });
  const changes = free.map(({ want }): Change => ({ verb: 'add', want }));
  const outcomes: (KernelError | undefined)[] = changes.map(() => undefined);
  await batcher.apply({ changes, from: 0, to: changes.length, outcomes }, signal);
  free.forEach(({ index }, i) => {
    run.outcomes[index] = outcomes[i];
  });
}
