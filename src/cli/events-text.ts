import type { EventName } from '../journal/event.ts';
import type { RecentEvent } from '../journal/recent-events.ts';
import { printable } from '../model/text.ts';
import type { Paint } from './paint.ts';

/** Which events a person asks for; all that are given must hold. */
export interface EventFilter {
  readonly eip?: string;
  /** `namespace/name`, or a name */
  readonly service?: string;
  readonly node?: string;
  /** The rounds too, which tell how much was changed and not what. */
  readonly all?: boolean;
}

export function isWanted(event: RecentEvent, { eip, service, node, all }: EventFilter): boolean {
  const isNamed = (name: string): boolean => name === service || name.endsWith(`/${service}`);
  return (
    (all || event.event !== 'round') &&
    (eip === undefined || event.eips.includes(eip)) &&
    (service === undefined || event.services.some(isNamed)) &&
    (node === undefined || event.nodes.includes(node) || factsOf(event, 'from').includes(node))
  );
}

function factsOf({ facts }: RecentEvent, name: string): readonly unknown[] {
  const { [name]: value } = facts;
  return Array.isArray(value) ? value : [];
}

const signs: Readonly<Partial<Record<EventName, '+' | '~' | '-'>>> = {
  'eip-assigned': '+',
  'eip-routed': '+',
  'eip-moved': '~',
  'node-drains': '~',
  'node-drained': '~',
  'node-undrained': '~',
  'eip-taken-back': '-',
  'eip-withdrawn': '-',
};

/** `+` came, `~` moved, `-` went, `x` is not done, `!` a person may want to act, and a blank for the rest. */
function signOf({ event, level }: RecentEvent): string {
  const sign = signs[event];
  if (sign !== undefined) return sign;
  return level === 'error' || level === 'fatal' ? 'x' : level === 'warn' ? '!' : ' ';
}

/**
 * One line: `13:44:22.216  +  198.51.100.7 (default/s6) is routed to node1, node3`, in local time.
 *
 * @param now ms since the epoch; an event of another day has its date
 */
export function eventLine(event: RecentEvent, now: number, paint: Paint): string {
  const sign = signOf(event);
  const colour = sign === 'x' ? 'red' : sign === '!' ? 'yellow' : 'green';
  const shown = sign === ' ' ? sign : paint(sign, colour);
  return `${timeText(new Date(event.at), new Date(now))}  ${shown}  ${printable(event.text)}\n`;
}

function timeText(at: Date, now: Date): string {
  const two = (count: number, width = 2): string => String(count).padStart(width, '0');
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${two(at.getMilliseconds(), 3)}`;
  if (at.toDateString() === now.toDateString()) return time;
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${time}`;
}
