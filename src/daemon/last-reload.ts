import { systemClock } from '../cluster/clock.ts';
import type { ReloadFigures } from '../metrics/family.ts';
import type { Problem } from '../model/problem.ts';

const none: readonly Problem[] = [];

/** How the last reload ended, for metrics and problems; the log has a record of its own. */
export class LastReload {
  #figures: ReloadFigures = { taken: systemClock.now(), refused: false };
  #problems = none;
  #refused = (): void => {};

  get figures(): ReloadFigures {
    return this.#figures;
  }

  /** The same array as long as they are the same. */
  get problems(): readonly Problem[] {
    return this.#problems;
  }

  /** @param refused called when one is refused */
  listen(refused: () => void): void {
    this.#refused = refused;
  }

  wasTaken(): void {
    this.#figures = { taken: systemClock.now(), refused: false };
    this.#problems = none;
  }

  /** @param fixed keys that need a restart; none: the file is wrong */
  wasRefused(fixed: readonly string[]): void {
    this.#figures = { ...this.#figures, refused: true };
    this.#problems = [refusal(fixed)];
    this.#refused();
  }
}

function refusal(fixed: readonly string[]): Problem {
  const of = { code: 'config-refused', severity: 'warn', subject: 'the last reload' } as const;
  const message = 'the last reload was refused, and the configuration of before is in force: ';
  return fixed.length === 0
    ? {
        ...of,
        message: `${message}the file is wrong`,
        advice: 'eiproute config check says where; correct it, and reload again',
      }
    : {
        ...of,
        message: `${message}a restart is needed for ${fixed.join(', ')}`,
        advice:
          'restart the service, which leaves all routes as they are, or put the former values back and reload',
      };
}
