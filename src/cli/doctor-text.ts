import type { Check, CheckState } from '../explain/check.ts';
import { printable } from '../model/text.ts';
import { counted } from '../status/state.ts';
import { checkColour } from './check-colour.ts';
import type { Paint } from './paint.ts';

const stateWidth = 4;

/** What `eiproute doctor` prints. */
export function doctorText(about: string, checks: readonly Check[], paint: Paint): string {
  const width = Math.max(...checks.map(({ name }) => name.length));
  const lines = [printable(about)];
  for (const { state, name, finding, more, advice } of checks) {
    lines.push(
      `${paint(state.padEnd(stateWidth), checkColour(state))}  ${name.padEnd(width)}  ${printable(finding)}`,
    );
    const indent = ' '.repeat(stateWidth + width + 4);
    for (const line of more) lines.push(`${indent}${printable(line)}`);
    if (advice !== undefined && state !== 'ok') lines.push(`${indent}-> ${printable(advice)}`);
  }
  lines.push(summaryOf(checks));
  return lines.map((line) => `${line.trimEnd()}\n`).join('');
}

function summaryOf(checks: readonly Check[]): string {
  const count = (state: CheckState): number => checks.filter((one) => one.state === state).length;
  const unknown = count('?');
  return [
    counted(count('FAIL'), 'failure'),
    counted(count('warn'), 'warning'),
    ...(unknown > 0 ? [`${unknown} not known`] : []),
  ].join(', ');
}
