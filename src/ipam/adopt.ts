import { family, type Ip } from '../model/ip.ts';
import { barredFrom, termsOf } from '../model/pool.ts';
import type { Assignments } from './assignments.ts';
import type { Candidate } from './candidate.ts';
import type { Lost } from './decision.ts';

/** What becomes of the addresses that a Service shows. */
export interface Adoption {
  readonly keep: readonly Ip[];
  readonly warnings: readonly string[];
  readonly lost: readonly Lost[];
}

/**
 * Which of the addresses that it shows a Service keeps. Assignments are the state: what it has, stays, also when
 * a pool has been made smaller since (unless the pool enforces its bounds), but not what is another's.
 *
 * @param shown what its status says, or what was promised to it and is on the way there
 */
export function adoption(candidate: Candidate, shown: readonly Ip[], assignments: Assignments): Adoption {
  if (shown.length === 0) return nothing;
  const keep: Ip[] = [];
  const warnings: string[] = [];
  const lost: Lost[] = [];
  for (const ip of inOrder(candidate, shown)) {
    const odd = candidate.role === 'ours' ? misfit(candidate, ip, keep) : undefined;
    const doubt = odd === undefined ? outOfBounds(candidate, ip, assignments) : undefined;
    const taken = assignments.refusal(ip, candidate);
    if (odd !== undefined) lost.push({ ip, why: odd, conflict: false });
    else if (doubt?.stays === false) lost.push({ ip, why: doubt.why, conflict: false });
    else if (taken !== undefined) lost.push({ ip, why: taken, conflict: true });
    else {
      keep.push(ip);
      if (doubt) warnings.push(doubt.why);
    }
  }
  return { keep, warnings, lost };
}

const nothing: Adoption = { keep: [], warnings: [], lost: [] };

/** Its first family first. */
function inOrder({ asked }: Candidate, ips: readonly Ip[]): readonly Ip[] {
  const [first] = familiesOf(asked) ?? [];
  if (first === undefined || ips.length < 2) return ips;
  return [...ips.filter((ip) => family(ip) === first), ...ips.filter((ip) => family(ip) !== first)];
}

function familiesOf(asked: Candidate['asked']) {
  return asked?.kind === 'request' ? asked.request.families : asked?.families;
}

/** Why an address is not one that it could ask for; undefined also while nobody knows its families. */
function misfit({ asked }: Candidate, ip: Ip, keep: readonly Ip[]): string | undefined {
  const families = familiesOf(asked);
  if (families === undefined) return undefined;
  if (!families.includes(family(ip))) return `the Service is not of IPv${family(ip)}`;
  const twin = keep.find((one) => family(one) === family(ip));
  return twin === undefined ? undefined : `it has ${twin} of the same family`;
}

/** What the pools say against an address; `stays`: it was given in better days, or is not ours to judge. */
function outOfBounds(
  { given, service, role }: Candidate,
  ip: Ip,
  assignments: Assignments,
): { readonly why: string; readonly stays: boolean } | undefined {
  const before = given?.ips.includes(ip) === true;
  const pool = assignments.poolOf(ip);
  if (pool === undefined) {
    return { why: `${ip} is in no pool`, stays: role === 'leaving' || (before && !given?.enforce) };
  }
  const unfit = assignments.unfit(ip, pool);
  if (unfit !== undefined) {
    return { why: unfit.why, stays: unfit.kind === 'buggy' && !termsOf(pool).enforce };
  }
  const barred = barredFrom(pool, service);
  if (barred === undefined) return undefined;
  return { why: `${ip}: ${barred}`, stays: role === 'leaving' || (before && !termsOf(pool).enforce) };
}
