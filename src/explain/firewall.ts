import { readFile } from 'node:fs/promises';
import { readWith } from '../kernel/program.ts';
import { type ForwardVerdict, judgeForward, type Packet } from './forward-hooks.ts';
import type { NotAsked } from './trace-facts.ts';

/** What the firewalls of this host do with packets; each packet is judged by the same listing. */
export interface Firewall {
  judge(packet: Packet): ForwardVerdict | NotAsked;
}

/**
 * Lists the rules of this host twice: JSON is what can be judged, and only the text has the states that a rule of iptables asks
 * for.
 */
export async function readFirewall(signal: AbortSignal): Promise<Firewall> {
  const [listed, text, legacy] = await Promise.all([
    readWith('nft', ['-j', 'list', 'ruleset'], signal),
    readWith('nft', ['-a', 'list', 'ruleset'], signal),
    legacyVerdict(signal),
  ]);
  if (listed.kind === 'not run') return notAsked(listed.why);
  if (listed.status !== 0) return notAsked(listed.err.split('\n')[0] ?? '');
  const ruleset: unknown = JSON.parse(listed.out);
  return {
    judge: (packet) => {
      const verdict = judgeForward(
        ruleset,
        packet,
        text.kind === 'ended' && text.status === 0 ? text.out : '',
      );
      return verdict.kind === 'passes' ? legacy : verdict;
    },
  };
}

function notAsked(why: string): Firewall {
  return { judge: () => ({ kind: 'not asked', why }) };
}

/** The rules of the old iptables are not in nft's ruleset. */
async function legacyVerdict(signal: AbortSignal): Promise<ForwardVerdict> {
  const names = await readFile('/proc/net/ip_tables_names', 'utf8').catch(() => '');
  if (!names.split('\n').includes('filter')) return { kind: 'passes' };
  const listed = await readWith('iptables-legacy', ['-S', 'FORWARD'], signal);
  if (listed.kind === 'ended' && listed.status === 0 && listed.out.trim() === '-P FORWARD ACCEPT')
    return { kind: 'passes' };
  return { kind: 'unclear', by: 'the FORWARD chain of iptables-legacy' };
}
