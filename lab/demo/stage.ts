import type { LabService } from '../cluster/cluster.ts';
import type { Eiproute } from '../eiproute/eiproute.ts';
import type { Lab } from '../lab.ts';
import type { Witness } from '../load/witness.ts';
import { type Dual, eip } from '../network/map.ts';
import type { Page } from './page.ts';

/** Everything a scene plays with. */
export interface Stage {
  readonly lab: Lab;
  readonly eiproute: Eiproute;
  /** Of the gateway. */
  readonly witness: Witness;
  readonly page: Page;
}

/** What a scene measured: times in ms (`...Ms`) and counts. */
export type Figures = Readonly<Record<string, number>>;

export interface Scene<Needs = Stage> {
  readonly id: string;
  readonly title: string;
  /** @throws Error in words for the audience when what should be seen is not seen */
  readonly play: (stage: Needs, signal: AbortSignal) => Promise<Figures>;
}

/** The two Services of the story: one of each externalTrafficPolicy. */
export const web = { name: 'web', eip: eip(1), policy: 'Cluster' } as const satisfies LabService;
export const shop = { name: 'shop', eip: eip(2), policy: 'Local' } as const satisfies LabService;

export function both({ v4, v6 }: Dual): readonly [Dual['v4'], Dual['v6']] {
  return [v4, v6];
}

export function demand(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new Error(otherwise);
}

/** For patterns over what `ip monitor` says. */
export function exactly(text: string): string {
  return text.replaceAll('.', '\\.');
}
