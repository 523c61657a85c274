import { once } from 'node:events';
import { get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { ask } from '../../src/daemon/ask.ts';

/** Where the daemon of a run has its read-only listener. */
export const listen = '127.0.0.1:9469';

/** What is looked at: metrics and status every second, and with 'page' a live page as well. */
export type Look = 'questions' | 'page';

/** Looks on until the signal. */
export async function onlookers(look: Look, runtimeDirectory: string, signal: AbortSignal): Promise<void> {
  if (look === 'page') {
    const page = get(`http://${listen}/stream`, { signal }, (response) => {
      response.on('error', () => undefined).resume();
    });
    page.on('error', (error) => {
      if (!signal.aborted) throw error;
    });
  }
  while (!signal.aborted) {
    try {
      const [response] = await once(get(`http://${listen}/metrics`, { signal }), 'response');
      response.resume();
      await once(response, 'end');
      await ask(runtimeDirectory, 'gateway', 'GET', '/status', signal);
      await sleep(1000, undefined, { signal });
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}
