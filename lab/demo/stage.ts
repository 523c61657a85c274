import type { Offer } from '../cluster/control-plane.ts';
import type { Lab } from '../lab.ts';
import { type Dual, eip } from '../network/map.ts';
import type { Page } from './page.ts';

/** Everything a scene plays with. */
export interface Stage {
  readonly lab: Lab;
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
export const web: Offer = { name: 'web', eip: eip(1), policy: 'Cluster' };
export const shop: Offer = { name: 'shop', eip: eip(2), policy: 'Local' };

/** A Service that comes without an EIP and waits for one. */
export interface Asking {
  readonly name: string;
  /** What it will get. */
  readonly expected: Dual;
}

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
