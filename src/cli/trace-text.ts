import type { Trace } from '../explain/trace.ts';
import { printable } from '../model/text.ts';
import { checkColour } from './check-colour.ts';
import type { Paint } from './paint.ts';

const stateWidth = 4;
const nameWidth = 12;

/** What `eiproute trace` prints of one address. */
export function traceText(found: Trace, paint: Paint): string {
  const { eip, asked, services, ports, steps, why, advice } = found;
  const about = [eip ?? asked, services.join(', '), ports.join(', ')].filter((part) => part !== '');
  const lines = [`${printable(about.join('  '))}  ${verdictText(found, paint)}`, ''];
  for (const [i, { state, name, finding, more }] of steps.entries()) {
    const label = `${i + 1}`.padStart(3);
    lines.push(
      `${label} ${paint(state.padEnd(stateWidth), checkColour(state))}  ${name.padEnd(nameWidth)} ${printable(finding)}`,
    );
    const indent = ' '.repeat(label.length + stateWidth + nameWidth + 4);
    for (const line of more) lines.push(`${indent}${printable(line)}`);
  }
  const end: (readonly [string, string | undefined])[] = [
    ['Why', why],
    ['Do', advice],
    ['Story', eip && `eiproute events --eip ${eip}`],
  ];
  lines.push('');
  for (const [label, text] of end)
    if (text !== undefined) lines.push(`  ${label.padEnd(6)}${printable(text)}`);
  return lines.map((line) => `${line.trimEnd()}\n`).join('');
}

function verdictText({ verdict, brokenAt }: Trace, paint: Paint): string {
  switch (verdict) {
    case 'works':
      return paint('WORKS', 'green');
    case 'broken':
      return paint(`BROKEN at step ${brokenAt}`, 'red');
    case 'not known':
      return paint('NOT KNOWN', 'yellow');
    default:
      return verdict satisfies never;
  }
}
