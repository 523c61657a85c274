import { type Family, family, type Ip } from '../model/ip.ts';
import { barredFrom, termsOf } from '../model/pool.ts';
import type { Assignments } from './assignments.ts';
import type { Candidate } from './candidate.ts';
import type { Lost } from './decision.ts';

/** What becomes of the addresses that a Service has. */
export interface Kept {
  readonly ips: readonly Ip[];
  /** What is not as it should be with those that it keeps. */
  readonly warnings: readonly string[];
  readonly lost: readonly Lost[];
}

const nothing: Kept = { ips: [], warnings: [], lost: [] };

/**
 * Which of its addresses a Service keeps. An address stays, also when a pool was made smaller since (unless the pool
 * enforces its bounds), but not when it is another's.
 */
export function kept(candidate: Candidate, has: readonly Ip[], assignments: Assignments): Kept {
  if (has.length === 0) return nothing;
  const ips: Ip[] = [];
  const warnings: string[] = [];
  const lost: Lost[] = [];
  for (const ip of firstFamilyFirst(candidate, has)) {
    const misfit = otherFamily(candidate, ip) ?? sameFamily(ip, ips);
    const bounds = misfit === undefined ? outOfBounds(candidate, ip, assignments) : undefined;
    const taken = assignments.refusal(ip, candidate);
    if (misfit !== undefined) lost.push({ ip, why: misfit, conflict: false });
    else if (bounds?.stays === false) lost.push({ ip, why: bounds.why, conflict: false });
    else if (taken !== undefined) lost.push({ ip, why: taken, conflict: true });
    else {
      ips.push(ip);
      if (bounds) warnings.push(bounds.why);
    }
  }
  return { ips, warnings, lost };
}

/** Whether a Service could keep an address if no other had it. */
export function mayKeep(candidate: Candidate, ip: Ip, assignments: Assignments): boolean {
  return otherFamily(candidate, ip) === undefined && outOfBounds(candidate, ip, assignments)?.stays !== false;
}

function firstFamilyFirst(candidate: Candidate, ips: readonly Ip[]): readonly Ip[] {
  const [first] = familiesOf(candidate) ?? [];
  if (first === undefined || ips.length < 2) return ips;
  return [...ips.filter((ip) => family(ip) === first), ...ips.filter((ip) => family(ip) !== first)];
}

function familiesOf({ request }: Candidate): readonly Family[] | undefined {
  return request?.kind === 'request' ? request.request.families : request?.families;
}

/** undefined also while the families of the Service are not known. */
function otherFamily(candidate: Candidate, ip: Ip): string | undefined {
  const families = familiesOf(candidate);
  if (families === undefined || families.includes(family(ip))) return undefined;
  return `the Service is not of IPv${family(ip)}`;
}

function sameFamily(ip: Ip, ips: readonly Ip[]): string | undefined {
  const twin = ips.find((one) => family(one) === family(ip));
  return twin === undefined ? undefined : `it has ${twin} of the same family`;
}

/** What the pools say against an address; `stays`: it was given when they said otherwise, or is being given back. */
function outOfBounds(
  { allocated, service, role }: Candidate,
  ip: Ip,
  assignments: Assignments,
): { readonly why: string; readonly stays: boolean } | undefined {
  const before = allocated?.ips.includes(ip) === true;
  const pool = assignments.poolOf(ip);
  if (pool === undefined) {
    return { why: `${ip} is in no pool`, stays: before && !allocated?.enforce };
  }
  const unfit = assignments.unfit(ip, pool);
  if (unfit !== undefined) {
    // Whoever writes a Node may claim any address: it takes none from a Service that was given it.
    const stays = unfit.kind === 'claimed' ? before : unfit.kind === 'buggy' && !termsOf(pool).enforce;
    return { why: unfit.why, stays };
  }
  const barred = barredFrom(pool, service);
  if (barred === undefined) return undefined;
  return { why: `${ip}: ${barred}`, stays: role === 'leaving' || (before && !termsOf(pool).enforce) };
}
