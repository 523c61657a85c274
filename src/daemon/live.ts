import type { ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RecentEvents } from '../journal/recent-events.ts';
import { compareIp } from '../model/ip.ts';
import type { EipStatus } from '../status/eips.ts';
import type { AnyStatus } from '../status/status.ts';

/** What the live page is told. */
export interface LiveSources {
  readonly recent: Pick<RecentEvents, 'after'>;
  /** Brings up to date what is only read when somebody asks. */
  look(): Promise<void>;
  status(): AnyStatus;
  /** Of a gateway. */
  eips(): Iterable<EipStatus>;
}

/** The message `snapshot` of the stream. */
export interface Snapshot {
  /** Without `now`, and with the lists that the page does not show left empty. */
  readonly status: Omit<AnyStatus, 'now'>;
  /** All of them; the status has the first. */
  readonly needs: number;
  readonly eips: { readonly total: number; readonly shown: readonly EipStatus[] };
}

/** Rows that a page is sent. */
const mostEips = 300;
const mostNeeds = 50;
/** Pages that are open at once. */
const mostStreams = 16;
/** ms between two looks, and between two messages at most */
const pace = 500;
const beat = 3000;
/** A look rests for so many times of what it took: a page takes no more than a twentieth of a processor. */
const rest = 20;

/** The streams of the live page (server-sent events): each sends what has changed since the last look. */
export class Live {
  readonly #sources: LiveSources;
  #open = 0;

  constructor(sources: LiveSources) {
    this.#sources = sources;
  }

  /**
   * Writes to one page until it goes away.
   *
   * @param of what the EIPs are searched by; empty: all
   */
  async stream(of: string, response: ServerResponse): Promise<void> {
    if (this.#open >= mostStreams) {
      response.writeHead(503, { 'retry-after': '10' });
      response.end(`${mostStreams} pages are open already\n`);
      return;
    }
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    this.#open += 1;
    try {
      await this.#write(of.toLowerCase(), response, gone.signal);
    } catch (error) {
      if (!gone.signal.aborted) throw error;
    } finally {
      this.#open -= 1;
      response.end();
    }
  }

  async #write(of: string, response: ServerResponse, signal: AbortSignal): Promise<void> {
    const { recent, look } = this.#sources;
    const send = (event: string, json: string): void => {
      response.write(`event: ${event}\ndata: ${json}\n\n`);
    };
    let last = '';
    let number = 0;
    let told = 0;
    send('restart', '{}');
    while (!signal.aborted) {
      await look();
      const began = performance.now();
      const snapshot = JSON.stringify(this.#snapshot(of));
      const events = [...recent.after(number)].filter(({ event }) => event !== 'round');
      // A page that does not read gets nothing more until it does.
      if (!response.writableNeedDrain) {
        const isNew = snapshot !== last || events.length > 0;
        if (isNew || began - told > beat) send('time', String(Date.now()));
        if (snapshot !== last) send('snapshot', snapshot);
        if (events.length > 0) send('events', JSON.stringify(events.map(({ facts: _, ...event }) => event)));
        if (isNew || began - told > beat) told = began;
        last = snapshot;
        number = events.at(-1)?.number ?? number;
      }
      const took = performance.now() - began;
      await sleep(Math.max(pace, rest * took), undefined, { signal });
    }
  }

  #snapshot(of: string): Snapshot {
    const { now: _, ...status } = this.#sources.status();
    return {
      status: {
        ...status,
        needs: status.needs.slice(0, mostNeeds),
        problems: [],
        conflicts: [],
        failed: [],
        held: [],
      },
      needs: status.needs.length,
      eips: eipsShown(this.#sources.eips(), of),
    };
  }
}

/**
 * The EIPs that a page shows: those that are not as they should be, then the others, each by address. Where there are more
 * than fit, those that are not routed go first, and any of the others fill the page: a person who wants one searches for it.
 */
export function eipsShown(eips: Iterable<EipStatus>, of: string): Snapshot['eips'] {
  const wrong: EipStatus[] = [];
  const well: EipStatus[] = [];
  let total = 0;
  for (const one of eips) {
    if (of !== '' && !matches(one, of)) continue;
    total += 1;
    const list = isWell(one) ? well : wrong;
    if (list.length < mostEips) list.push(one);
  }
  const byAddress = (a: EipStatus, b: EipStatus): number => compareIp(a.eip, b.eip);
  return { total, shown: [...wrong.sort(byAddress), ...well.sort(byAddress)].slice(0, mostEips) };
}

function isWell({ state, nodes }: EipStatus): boolean {
  return (
    (state === 'routed' || state === 'idle') && !(nodes.length > 0 && nodes.every(({ silent }) => silent))
  );
}

function matches({ eip, services, nodes }: EipStatus, of: string): boolean {
  return (
    eip.includes(of) ||
    services.some((service) => service.toLowerCase().includes(of)) ||
    nodes.some(({ name }) => name.toLowerCase().includes(of))
  );
}

/**
 * Whether a request names this host as people do: by an address or by its own name. A page of somebody else that
 * makes its own name point here (DNS rebinding) is not let read what is ours.
 */
export function isThisHost(host: string | undefined, own = hostname()): boolean {
  const name = (host ?? '')
    .replace(/:\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .toLowerCase();
  const names = ['localhost', own.toLowerCase(), own.toLowerCase().replace(/\..*/, '')];
  return isIP(name) !== 0 || names.includes(name);
}
