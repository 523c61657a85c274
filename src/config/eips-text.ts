import type { Prefix } from '../model/ip.ts';
import type { AgentGateway } from '../model/node-agent.ts';
import { readEips, refuseMismatches } from './agent.ts';
import { parseDocument } from './document.ts';
import type { ReportProblem } from './pools.ts';

/** The parsed text, or its problems in words. */
export type EipsText =
  | { readonly kind: 'read'; readonly eips: readonly Prefix[] }
  | { readonly kind: 'refused'; readonly why: string };

/**
 * Reads the EIP networks of a ConfigMap: a list in YAML or JSON, or one entry per line, with comments after "#".
 *
 * @param gateways checked against the networks
 */
export function readEipsText(text: string, gateways: readonly AgentGateway[]): EipsText {
  const lines = text.split('\n').map((line) => line.replace(/#.*/, '').trim());
  const entries = lines.filter((line) => line !== '');
  const wrong: string[] = [];
  const report: ReportProblem = (key, what) => wrong.push(`${key}: ${what}`);
  let raw: unknown = entries;
  if (/^(-\s|\[)|^-$/.test(entries[0] ?? '')) {
    const { root, problems } = parseDocument(`eips:\n${text.replace(/^/gm, ' ')}`);
    for (const { at, what } of problems) wrong.push(`line ${at.line - 1} ${what}`);
    raw = root.get('eips');
  }
  if (wrong.length === 0) {
    const eips = readEips(raw, report);
    refuseMismatches(eips, gateways, report);
    if (wrong.length === 0) return { kind: 'read', eips };
  }
  const more = wrong.length > 3 ? `; and ${wrong.length - 3} more` : '';
  return { kind: 'refused', why: `${wrong.slice(0, 3).join('; ')}${more}` };
}
