import type { PathTable } from '../desire/path-table.ts';
import type { Ip } from '../model/ip.ts';
import type { LastReport } from '../reconcile/report.ts';
import { type EipInputs, eipStatuses, isAsked } from '../status/eips.ts';
import type { Summary } from '../status/state.ts';
import type { GatewayStatus } from '../status/status.ts';

/** EIPs that are sent in one portion. */
const portion = 1000;

/** What stands before the EIPs. */
export type EipsSummary = Summary & Pick<GatewayStatus, 'lookup'>;

/**
 * The answer to `/eips`: what `eiproute status --eips --json` prints.
 *
 * @param filter an EIP, a Service or a node; undefined: all
 */
export function* eipsAnswer(
  summary: EipsSummary,
  filter: string | undefined,
  inputs: EipInputs,
): Generator<string> {
  yield `${JSON.stringify(summary).slice(0, -1)},"eips":[`;
  let lines: string[] = [];
  let count = 0;
  for (const one of eipStatuses(inputs)) {
    if (filter !== undefined && !isAsked(one, filter)) continue;
    lines.push(`${count === 0 ? '' : ','}${JSON.stringify(one)}`);
    count += 1;
    if (lines.length < portion) continue;
    yield lines.join('');
    lines = [];
  }
  yield `${lines.join('')}]}`;
}

/** EIPs that lead to silent nodes alone, computed once for each round and each set of silent nodes. */
export class DarkEips {
  #paths: PathTable | undefined;
  #silent: ReadonlySet<Ip> | undefined;
  #report: LastReport | undefined;
  #eips: readonly Ip[] = [];

  of(paths: PathTable, silent: ReadonlySet<Ip>, report: LastReport | undefined): readonly Ip[] {
    if (paths === this.#paths && silent === this.#silent && report === this.#report) return this.#eips;
    this.#paths = paths;
    this.#silent = silent;
    this.#report = report;
    this.#eips = [...paths.eipsWithin(silent)];
    return this.#eips;
  }
}
