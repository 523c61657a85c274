import { type Ip, ipBytes, onlyIp } from '../model/ip.ts';
import { command, describe, type LinkNames } from '../model/iproute.ts';
import { changeObject, type KernelObject } from '../model/object.ts';
import type { Problem, ProblemCode } from '../model/problem.ts';
import { someNames } from '../model/some-names.ts';
import type { Conflict, Failed, Held, HoldReason, LastReport } from '../reconcile/report.ts';
import { counted, iso } from './state.ts';

/** docs/problems.md says of each what it means and what to do. */
export type NeedCode =
  | ProblemCode
  | 'api'
  | 'conflict'
  | 'dark'
  | 'file'
  | 'held'
  | 'kernel'
  | 'missing'
  | 'refused'
  | 'waits';

/** Something that a person should look at: what, where, why, and what to do. */
export interface Need {
  /** One word in capitals, for the eye and for grep: CONFLICT, REFUSED, HELD, MISSING, API, NODE, WAITS, ... */
  readonly kind: string;
  /** Stable: the code of the problem, or the kind in small letters. */
  readonly code: NeedCode;
  /** 'error': a part of the work is not done; 'warn': a person may want to act. */
  readonly severity: Problem['severity'];
  /** What it is about: an EIP, `interface eth0`, `node n3`. */
  readonly subject: string;
  /** The Service, node or object behind it. */
  readonly where: string | undefined;
  readonly why: string;
  readonly advice: string;
  readonly eip: Ip | undefined;
  /** ISO 8601, when it is over by itself; undefined: that is not known. */
  readonly until?: string | undefined;
}

/** Names that one line has room for. */
const mostNames = 6;

/** The route of an EIP to its nodes; undefined for any other object. */
export function eipOf(object: KernelObject): Ip | undefined {
  return object.kind === 'route' && object.nhid !== undefined ? onlyIp(object.dst) : undefined;
}

/** What the last round left undone, and what it found wrong. */
export function reportNeeds(report: LastReport, names: LinkNames): readonly Need[] {
  return [
    ...report.conflicts.map((conflict) => conflictNeed(conflict, names)),
    ...report.failed.map((failed) => refusedNeed(failed, names)),
    ...heldNeeds(report.held, names),
    ...problemNeeds(report.problems),
  ];
}

function conflictNeed({ want, why, holder }: Conflict, names: LinkNames): Need {
  const eip = eipOf(want);
  return {
    kind: 'CONFLICT',
    code: 'conflict',
    severity: 'error',
    subject: eip ?? describe(want, names),
    where: why.services?.join(', ') ?? why.text,
    why: holder === undefined ? 'another program had its place' : `held by "${rest(holder, eip, names)}"`,
    advice:
      holder === undefined
        ? 'nothing to do: it is tried again'
        : `delete it: ${command({ verb: 'delete', have: holder }, names)}`,
    eip,
  };
}

/** An object in iproute2's words, without the EIP, which stands before them. */
function rest(object: KernelObject, eip: Ip | undefined, names: LinkNames): string {
  const words = describe(object, names).split(' ');
  return words.filter((word) => word !== eip).join(' ');
}

function refusedNeed({ change, message }: Failed, names: LinkNames): Need {
  const { why } = change;
  const object = changeObject(change);
  const eip = eipOf(object);
  return {
    kind: 'REFUSED',
    code: 'refused',
    severity: 'error',
    subject: eip ?? `${object.kind} ${describe(object, names)}`,
    where: why.services?.join(', ') ?? why.text,
    why: `the kernel refuses to ${change.verb} it: ${message}`,
    advice: 'it is tried again by itself; eiproute status --objects shows the object',
    eip,
  };
}

/** One for each reason: a hold may be about a hundred thousand routes. */
function heldNeeds(held: readonly Held[], names: LinkNames): readonly Need[] {
  const byReason = Map.groupBy(held, ({ reason }) => reason);
  // The objects that others use wait for these.
  if (byReason.size > 1) byReason.delete('still named');
  return [...byReason].map(([reason, all]) => {
    const eips = all.flatMap((change) => eipOf(changeObject(change)) ?? []);
    const [first] = all;
    const object = first && describe(changeObject(first), names);
    const until = first?.until;
    return {
      kind: 'HELD',
      code: 'held',
      severity: 'error',
      subject: eips.length > 0 ? some(eips) : (object ?? ''),
      where: undefined,
      why: `${counted(all.length, 'change')} held: ${holdWords(reason)}`,
      advice: holdAdvice(reason),
      eip: eips.length === 1 ? eips[0] : undefined,
      until: until === undefined ? undefined : iso(until),
    };
  });
}

function holdWords(reason: HoldReason): string {
  switch (reason) {
    case 'lists incomplete':
      return 'nothing is deleted before all lists of the cluster are in';
    case 'too many at once':
      return 'too much would vanish at once';
    case 'still named':
      return 'another object that stays still uses it';
    case 'names what is missing':
      return 'an object that it uses is missing';
    case 'after a refusal':
      return 'the kernel refused a change that comes first';
    case 'fight':
      return 'another program keeps undoing it';
    default:
      return reason satisfies never;
  }
}

function holdAdvice(reason: HoldReason): string {
  switch (reason) {
    case 'too many at once':
      return 'see which: eiproute release --show; if that is meant: eiproute release';
    case 'lists incomplete':
      return 'nothing to do once the API answers';
    case 'fight':
      return 'find the program (ip monitor, journalctl), and make it leave the object alone';
    case 'still named':
    case 'names what is missing':
    case 'after a refusal':
      return 'it is tried again by itself; eiproute status --objects shows all objects';
    default:
      return reason satisfies never;
  }
}

/** Services that wait for the same reason are one entry. */
function problemNeeds(problems: readonly Problem[]): readonly Need[] {
  const waits = Map.groupBy(
    problems.filter(({ code }) => code === 'service-waits'),
    ({ message, service = '' }) => message.replace(service, '').replace(/^.*?: /, ''),
  );
  return [
    ...problems.filter(({ code }) => code !== 'service-waits').map(problemNeed),
    ...[...waits].flatMap(([why, all]): readonly Need[] => {
      const [first] = all;
      if (first === undefined) return [];
      const subject = some(all.map(({ service, subject: about }) => service ?? about));
      return [{ ...problemNeed(first), kind: 'WAITS', code: 'waits', subject, where: undefined, why }];
    }),
  ];
}

function problemNeed({
  code,
  severity,
  subject,
  message,
  advice,
  eip,
  service,
  node,
}: Problem): Need & { readonly eip: Ip | undefined } {
  return {
    kind: code.replace(/-.*/, '').toUpperCase(),
    code,
    severity,
    subject,
    where: service ?? node,
    why: message,
    advice,
    eip,
  };
}

/** The first names, and how many more there are. */
export function some(names: readonly string[]): string {
  return someNames(names, mostNames);
}

/**
 * What stops the work first; of equals, what is about no EIP first, then by address. Each address is read once: there may
 * be tens of thousands.
 */
export function mostUrgentFirst(needs: readonly Need[]): readonly Need[] {
  const ranked = needs.map((need) => ({ need, at: need.eip === undefined ? undefined : ipBytes(need.eip) }));
  return ranked.sort(compareRanked).map(({ need }) => need);
}

interface Ranked {
  readonly need: Need;
  /** Its EIP. */
  readonly at: Uint8Array | undefined;
}

function compareRanked({ need: a, at: left }: Ranked, { need: b, at: right }: Ranked): number {
  if (a.severity !== b.severity) return a.severity === 'error' ? -1 : 1;
  if (left !== undefined && right !== undefined)
    return left.length - right.length || Buffer.compare(left, right);
  if (left !== right) return left === undefined ? -1 : 1;
  return compareText(a.kind, b.kind) || compareText(a.subject, b.subject);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
