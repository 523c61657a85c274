import type { Ip } from '../model/ip.ts';
import type { Answer, EipQuestion } from './eip-question.ts';

export interface InquiryOptions {
  readonly ask: (
    ends: { readonly to: Ip; readonly port: number; readonly mark: number },
    signal: AbortSignal,
  ) => Promise<Answer>;
  /** undefined: the kernel has no path by this node yet */
  readonly mark: (via: Ip) => number | undefined;
}

/** Questions in a turn, of which there are forty in a second, and at one time. */
const mostPerTurn = 5;
const mostAtOnce = 64;
/** After so many questions in a row without an answer, none of those under way was answered. */
const silence = mostAtOnce;
/** at one time in a silence */
const fewAtOnce = 8;

/**
 * Puts the questions, so many in a second and no more. In a silence, where no node answers at all, more of them teach nothing: a few
 * are put then, until one is answered.
 */
export class Inquiry {
  readonly #options: InquiryOptions;
  #asking = 0;
  #left = mostPerTurn;
  /** Questions that were not answered since the last one that was. */
  #unanswered = 0;

  constructor(options: InquiryOptions) {
    this.#options = options;
  }

  /** A turn begins. */
  turn(): void {
    this.#left = mostPerTurn;
  }

  /** Whether another question may be put in this turn. */
  get hasRoom(): boolean {
    return this.#left > 0 && this.#asking < (this.isSilent ? fewAtOnce : mostAtOnce);
  }

  /** No node has answered for long. */
  get isSilent(): boolean {
    return this.#unanswered >= silence;
  }

  /** Puts a question that is due, where there is a way and room. @param ended called after its answer */
  put(question: EipQuestion, now: number, ended: () => void, signal: AbortSignal): void {
    if (!this.hasRoom || !question.isDue(now)) return;
    const mark = this.#options.mark(question.via);
    if (mark === undefined) return;
    this.#left -= 1;
    this.#asking += 1;
    const { eip: to, port } = question;
    question.begins(now);
    this.#options.ask({ to, port, mark }, signal).then(
      (answer) => {
        this.#asking -= 1;
        this.#unanswered = answer === 'no answer' ? this.#unanswered + 1 : 0;
        question.ends(answer);
        ended();
      },
      (error: unknown) => {
        this.#asking -= 1;
        if (!signal.aborted) throw error;
      },
    );
  }
}
