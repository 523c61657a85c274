import { systemClock } from '../cluster/clock.ts';
import type { ReloadFigures } from '../metrics/family.ts';

/** What became of the last reload; what is logged of it is no matter here, nor when the clock was set. */
export class LastReload {
  #figures: ReloadFigures = { taken: systemClock.now(), refused: false };

  get figures(): ReloadFigures {
    return this.#figures;
  }

  wasTaken(): void {
    this.#figures = { taken: systemClock.now(), refused: false };
  }

  wasRefused(): void {
    this.#figures = { ...this.#figures, refused: true };
  }
}
