import { openDatagrams } from '../journal/datagram.ts';

/** Notifications to systemd (sd_notify). Without NOTIFY_SOCKET they do nothing. */
export interface Notify {
  /** The configuration is valid and the kernel was read. */
  ready(): void;
  /** One sentence for `systemctl status`. Called only with NOTIFY_SOCKET, and sent only when it has changed. */
  status(sentence: () => string): void;
  /** Feeds the watchdog after a round, at most once a second. */
  alive(): void;
  reloading(): void;
  /** Ends `reloading`, with the new configuration or the old one. */
  reloaded(): void;
  stopping(): void;
}

interface NotifyEnvironment {
  readonly NOTIFY_SOCKET?: string | undefined;
  readonly WATCHDOG_USEC?: string | undefined;
  readonly WATCHDOG_PID?: string | undefined;
}

/** ms to wait for systemd to read a notification */
const patience = 1000;
/** ms between two signs of life: a round of one event must not cost a datagram, and a watchdog waits for many seconds */
const heartbeat = 1000;

/** @param failed called with the error of a failed notification, unless the one before failed with the same */
export function openNotify({ NOTIFY_SOCKET }: NotifyEnvironment, failed: (error: string) => void): Notify {
  if (!NOTIFY_SOCKET) return silent;
  const datagrams = openDatagrams(NOTIFY_SOCKET, patience);
  let before: string | undefined;
  return notifier((text) => {
    const error = datagrams.send(Buffer.from(text));
    if (error !== undefined && error !== before) failed(error);
    before = error;
  });
}

/**
 * @param send takes one datagram's text
 * @param clock ms; must never run backwards
 */
export function notifier(send: (text: string) => void, clock = (): number => performance.now()): Notify {
  let sent: string | undefined;
  let beating = false;
  let beat = Number.NEGATIVE_INFINITY;
  return {
    ready() {
      beating = true;
      send('READY=1');
    },
    status(sentence) {
      const now = sentence();
      if (now === sent) return;
      sent = now;
      send(`STATUS=${now.replaceAll('\n', ' ')}`);
    },
    alive() {
      const now = clock();
      if (!beating || now - beat < heartbeat) return;
      beat = now;
      send('WATCHDOG=1');
    },
    reloading() {
      // In one datagram: systemd drops a RELOADING=1 without MONOTONIC_USEC.
      send(`RELOADING=1\nMONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`);
    },
    reloaded() {
      // READY=1 ends a reload as well; before the first round the daemon is not ready.
      if (beating) send('READY=1');
    },
    stopping() {
      send('STOPPING=1\nSTATUS=stopping; routes stay as they are');
    },
  };
}

/** Without NOTIFY_SOCKET: the sentences are not even built. */
const silent: Notify = { ...notifier(() => undefined), status: () => undefined };

/**
 * The longest interval between two rounds under systemd's watchdog: a third of its timeout, so that one slow round is
 * harmless.
 *
 * @returns ms; Infinity without a watchdog
 */
export function watchdogPace({ WATCHDOG_USEC, WATCHDOG_PID }: NotifyEnvironment, pid: number): number {
  const limit = Number(WATCHDOG_USEC);
  const forUs = WATCHDOG_PID === undefined || Number(WATCHDOG_PID) === pid;
  return limit > 0 && forUs ? limit / 1000 / 3 : Number.POSITIVE_INFINITY;
}
