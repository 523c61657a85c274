import type { Answer } from '../../lab/load/load.ts';
import { now } from '../../lab/process/clock.ts';

/**
 * The time in which an EIP came to other nodes, once: from before anything asked for it until the gateway's kernel had
 * it. In ms since the epoch, by {@link now}.
 */
export interface Move {
  readonly from: number;
  readonly to: number;
}

/** Brings EIPs to other nodes, once each. @param work resolves when the gateway's kernel sends them there */
export async function moving(work: () => Promise<void>): Promise<Move> {
  const from = now();
  await work();
  return { from, to: now() };
}

/**
 * The requests that were sent since then and not answered. A request that is open in the very moment in which its EIP
 * comes to other nodes is none of them: its next packet may go to a node that does not know its connection, and what
 * kube-proxy there picks for it answers with a reset. So those that one move of an EIP has cut off were reset, and all
 * were open at one moment of it.
 *
 * @param since ms since the epoch
 * @returns `120 902 timeout 198.51.100.0`: ms from `since` until it was sent, ms until it was over, why, and where it
 *   went to
 */
export function losses(
  answers: readonly Answer[],
  since: number,
  moves: readonly Move[] = [],
): readonly string[] {
  const lost = answers.filter(({ sent, pod }) => sent >= since && pod === undefined);
  const excused = new Set(
    [...Map.groupBy(lost, ({ to }) => to).values()].flatMap((ofOne) =>
      moves.flatMap((move) => cutOff(ofOne, move)),
    ),
  );
  return lost
    .filter((answer) => !excused.has(answer))
    .map(({ sent, done, to, error }) =>
      [Math.round(sent - since), Math.round(done - sent), error, to].join(' '),
    );
}

/** Those to one EIP that its move has cut off; none when they were not open at the same time: then it was not the move. */
function cutOff(lost: readonly Answer[], { from, to }: Move): readonly Answer[] {
  const reset = lost.filter(({ sent, done, error }) => error === 'ECONNRESET' && sent < to && done > from);
  const lastSent = Math.max(...reset.map(({ sent }) => sent));
  const firstDone = Math.min(...reset.map(({ done }) => done));
  return lastSent <= firstDone ? reset : [];
}
