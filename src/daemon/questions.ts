import type { RecentEvents } from '../journal/recent-events.ts';
import { type ObjectsStatus, objectStatuses } from '../status/objects.ts';
import { summaryOf } from '../status/state.ts';
import type { DaemonState, RoleAnswers } from './daemon-role.ts';
import { namespaceAnswer } from './namespace.ts';
import type { Answer, Question } from './socket.ts';

export interface QuestionSources {
  readonly answers: Pick<RoleAnswers, 'health' | 'status' | 'questions'>;
  readonly state: () => DaemonState;
  readonly recent: Pick<RecentEvents, 'last' | 'after'>;
  /** Refreshes what no round reads. */
  readonly look: () => Promise<void>;
}

/** The questions that the socket answers, by their paths. */
export function questionsOf({
  answers,
  state,
  recent,
  look,
}: QuestionSources): ReadonlyMap<string, Question> {
  const question =
    (answer: (query: URLSearchParams) => Answer): Question =>
    async (query) => {
      await look();
      return answer(query);
    };
  const summary = () => summaryOf(answers.health(state()));
  const objects = (): ObjectsStatus => {
    const { actual, desired, report, names } = state();
    if (actual === undefined || desired === undefined || report === undefined)
      return { ...summary(), objects: [] };
    return { ...summary(), objects: objectStatuses({ desired, actual, report }, names) };
  };
  return new Map([
    ['/status', question(() => JSON.stringify(answers.status(state())))],
    ['/synced', question(() => JSON.stringify(summary()))],
    ['/objects', question(() => JSON.stringify(objects()))],
    ['/namespace', () => namespaceAnswer()],
    ['/events', (query) => eventsAnswer(recent, Number(query.get('after') ?? 0))],
    ...[...answers.questions].map(([path, answer]): [string, Question] => [
      path,
      question((query) => answer(state(), query)),
    ]),
  ]);
}

/** `/events?after=NUMBER`: the events that are still in memory; earlier ones may have been dropped. */
function eventsAnswer(recent: QuestionSources['recent'], after: number): string {
  return JSON.stringify({ version: 1, last: recent.last, events: [...recent.after(after)] });
}
