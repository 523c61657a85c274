import type { Ip } from '../model/ip.ts';
import type { Problem } from '../model/problem.ts';
import { someNames } from '../model/some-names.ts';
import { withoutNodes } from './no-node.ts';

/**
 * One problem for one cause.
 *
 * - Services that share their ports do so on each of their addresses: one problem names all of these.
 * - A Service that waits for the address that it names is told by the allocation, which names both Services; that the
 *   address is not routed to it follows.
 * - EIPs that no node can carry for the same reason: one problem counts them. As long as lists are to come, the nodes may
 *   be what is missing.
 *
 * @param isComplete the lists of the cluster are in
 */
export function causes(found: readonly Problem[], isComplete: boolean): readonly Problem[] {
  const problems = ofNodes(found, isComplete);
  const waits = new Set(problems.flatMap((one) => (isWait(one) ? [aboutOf(one)] : [])));
  const twice = Map.groupBy(
    problems.filter(({ code }) => code === 'eip-port-twice'),
    (one) => `${one.severity} ${without(one.message, one.eip)}`,
  );
  const isSame = (one: Problem): boolean =>
    one.severity === 'warn' && claimProblems.has(one.code) && waits.has(aboutOf(one));
  const rest = waits.size === 0 ? problems : problems.filter((one) => !isSame(one));
  const merged = [...twice.values()].filter(({ length }) => length > 1);
  if (merged.length === 0) return rest;
  const gone = new Set(merged.flat());
  return [...rest.filter((one) => !gone.has(one)), ...merged.flatMap(onAll)];
}

/** Names that one problem has room for. */
const mostNames = 3;

function ofNodes(problems: readonly Problem[], isComplete: boolean): readonly Problem[] {
  const all = problems.filter(isOfNodes);
  if (all.length === 0) return problems;
  const rest = problems.filter((one) => !isOfNodes(one));
  if (!isComplete) return rest;
  const byReason = Map.groupBy(all, ({ severity, reason }) => `${severity} ${reason}`);
  return [...rest, ...[...byReason.values()].flatMap(asOne)];
}

type Reasoned = Problem & { readonly reason: string };

function isOfNodes(problem: Problem): problem is Reasoned {
  return problem.code === 'eip-no-node' && problem.reason !== undefined;
}

/** @param all those with one reason */
function asOne(all: readonly Reasoned[]): readonly Problem[] {
  const [first, another] = all;
  if (first === undefined || another === undefined) return all;
  const eips = all.flatMap(({ eip }) => eip ?? []).sort();
  const { code, severity, advice, reason } = first;
  return [
    {
      code,
      severity,
      subject: `EIPs, as ${reason}`,
      message: withoutNodes(someNames(eips, mostNames), reason),
      advice,
      reason,
    },
  ];
}

/** What a claim in a spec is refused for; the allocation knows the same reasons. */
const claimProblems: ReadonlySet<string> = new Set([
  'eip-held-by-another',
  'eip-outside-pools',
  'eip-not-allowed',
]);

function isWait({ code, eip }: Problem): boolean {
  return eip !== undefined && (code === 'service-waits' || code === 'service-asks-otherwise');
}

function aboutOf({ service, eip }: Problem): string {
  return `${service} ${eip}`;
}

/** The same problem of several addresses as one. */
function onAll(all: readonly Problem[]): readonly Problem[] {
  const [first] = all;
  if (first === undefined) return [];
  const { eip: _, ...rest } = first;
  const eips = all.flatMap(({ eip }) => eip ?? []).sort();
  return [
    {
      ...rest,
      subject: without(first.subject, first.eip, eips.join(' and ')),
      message: without(first.message, first.eip, eips.join(' and ')),
    },
  ];
}

function without(text: string, eip: Ip | undefined, instead = ''): string {
  return text
    .split(' ')
    .map((word) => (word === eip ? instead : word))
    .join(' ');
}
