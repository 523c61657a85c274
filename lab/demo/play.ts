import { now } from '../process/clock.ts';
import { duration } from './page.ts';
import type { Figures, Scene, Stage } from './stage.ts';

export interface SceneResult {
  readonly id: string;
  readonly title: string;
  readonly ok: boolean;
  readonly ms: number;
  readonly figures: Figures;
  /** undefined when all was seen that should be. */
  readonly trouble: string | undefined;
}

/** ms. A scene that takes longer has failed: a busy machine takes some seconds more, and what is broken never comes. */
const longest = 30_000;

/** @throws the signal's reason when aborted; whatever goes wrong in the scene itself is in the result */
export async function playScene<Needs extends Pick<Stage, 'page'>>(
  { id, title, play }: Scene<Needs>,
  number: number,
  stage: Needs,
  signal: AbortSignal,
  bound = longest,
): Promise<SceneResult> {
  stage.page.headline(number, title);
  const start = now();
  const late = AbortSignal.timeout(bound);
  try {
    const figures = await play(stage, AbortSignal.any([signal, late]));
    return { id, title, ok: true, ms: now() - start, figures, trouble: undefined };
  } catch (error) {
    // Ctrl-C is no failure of the scene.
    signal.throwIfAborted();
    const said = error instanceof Error ? error.message : String(error);
    const trouble = late.aborted
      ? `not seen within ${duration(bound)}: ${isAbort(error) ? title : said}`
      : said;
    stage.page.bad(trouble);
    return { id, title, ok: false, ms: now() - start, figures: {}, trouble };
  }
}

/** The wait itself, which says nothing of what was waited for. */
function isAbort(error: unknown): boolean {
  return error instanceof Error && (error.name === 'TimeoutError' || error.name === 'AbortError');
}
