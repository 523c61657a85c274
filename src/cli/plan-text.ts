import { describe, type LinkNames, sysctlName } from '../model/iproute.ts';
import { type Change, changeObject, type KernelObject } from '../model/object.ts';
import { printable } from '../model/text.ts';
import type { PlannedChange } from '../reconcile/report.ts';
import type { Need } from '../status/need.ts';
import type { State } from '../status/state.ts';
import { counted, iso } from '../status/state.ts';
import type { Paint } from './paint.ts';
import { needLines } from './status-text.ts';

/** What is planned, and how it would be afterwards. */
export interface PlanView {
  readonly due: readonly PlannedChange[];
  /** Values that sysctls go back to when they are deleted, by path. */
  readonly formerSysctls: ReadonlyMap<string, string>;
  readonly names: LinkNames;
  /** Sentences about default routes that a new one shadows. */
  readonly shadows: readonly string[];
  /** Once this is done. */
  readonly state: State;
  readonly summary: string;
  readonly needs: readonly Need[];
  /** Objects that are in the kernel as they should be. */
  readonly installed: number;
}

export type Sign = '+' | '~' | '-';

/** One change for a person. */
export interface PlanRow {
  readonly sign: Sign;
  /** In iproute2's words, with the value before where it has one. */
  readonly text: string;
  /** Who asked for it. */
  readonly why: string;
}

export function planRow(
  change: PlannedChange,
  { formerSysctls, names }: Pick<PlanView, 'formerSysctls' | 'names'>,
): PlanRow {
  const { why } = change;
  const object = changeObject(change);
  const was = formerText(change, names);
  const text =
    object.kind === 'sysctl'
      ? `sysctl ${sysctlName(object.name)}  ${sysctlChange(change, formerSysctls)}`
      : `${noun(object)} ${describe(object, names)}`;
  return { sign: signOf(change), text, why: was === undefined ? why.text : `${why.text}; was ${was}` };
}

function signOf(change: Change): Sign {
  switch (change.verb) {
    case 'add':
      return '+';
    case 'replace':
      return '~';
    case 'delete':
      // A setting is not deleted: it goes back to its former value.
      return change.have.kind === 'sysctl' ? '~' : '-';
    default:
      return change satisfies never;
  }
}

function noun(object: KernelObject): string {
  if (object.kind === 'group') return 'nexthop';
  if (object.kind === 'nat-group' || object.kind === 'nat-eip') return 'nat';
  return object.kind === 'neighbour' ? 'neigh' : object.kind;
}

function sysctlChange(change: Change, former: ReadonlyMap<string, string>): string {
  const settingOf = (object: KernelObject): string => (object.kind === 'sysctl' ? object.value : '');
  switch (change.verb) {
    case 'add':
      return `-> ${settingOf(change.want)}`;
    case 'replace':
      return `${settingOf(change.have)} -> ${settingOf(change.want)}`;
    case 'delete':
      return `${settingOf(change.have)} -> ${(change.have.kind === 'sysctl' && former.get(change.have.name)) || '?'}`;
    default:
      return change satisfies never;
  }
}

/** What the object was; undefined where the line says it already, or there was none. */
function formerText(change: Change, names: LinkNames): string | undefined {
  if (change.verb !== 'replace' || change.have.kind === 'sysctl' || change.have.kind === 'nft')
    return undefined;
  return describe(change.have, names);
}

/** How many objects come, change and go. */
export function planCounts(rows: readonly PlanRow[]): {
  readonly add: number;
  readonly change: number;
  readonly delete: number;
} {
  const count = (sign: Sign): number => rows.filter((row) => row.sign === sign).length;
  return { add: count('+'), change: count('~'), delete: count('-') };
}

const widest = 72;

/** What `eiproute plan` prints. */
export function planText(view: PlanView, now: number, paint: Paint): string {
  const { due, shadows, state, summary, needs, installed } = view;
  const rows = due.map((one) => planRow(one, view));
  const width = Math.min(widest, Math.max(0, ...rows.map(({ text }) => text.length)));
  const lines = rows.map(
    ({ sign, text, why }) => `${paint(sign, colourOf(sign))} ${printable(`${text.padEnd(width)}  ${why}`)}`,
  );
  lines.push(...shadows.map((text) => `${paint('!', 'yellow')} ${printable(text)}`));
  const told = needLines({ needs, now: iso(now) }, paint);
  lines.push(...(lines.length === 0 ? told.slice(1) : told));
  const outlook = state === 'OK' ? [] : [`Afterwards ${state}: ${printable(summary)}`];
  if (lines.length > 0) lines.push('');
  if (rows.length === 0) {
    const all = state === 'OK' ? ` ${printable(summary)}; ${counted(installed, 'object')} as wanted.` : '';
    return [...lines, ...outlook, `No changes.${all}`].map((line) => `${line}\n`).join('');
  }
  const counts = planCounts(rows);
  const end = `Plan: ${counts.add} to add, ${counts.change} to change, ${counts.delete} to delete. As commands: eiproute plan --commands`;
  return [...lines, ...outlook, end].map((line) => `${line}\n`).join('');
}

function colourOf(sign: Sign): 'green' | 'yellow' | 'red' {
  return sign === '+' ? 'green' : sign === '~' ? 'yellow' : 'red';
}
