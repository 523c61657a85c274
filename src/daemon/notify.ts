import { openDatagrams } from '../journal/datagram.ts';

/** What systemd is told of us; all of it does nothing where systemd did not ask to be told. */
export interface Notify {
  /** The configuration is valid and the kernel was read. */
  ready(): void;
  /** One sentence for `systemctl status`; told again only when it has changed, and asked for only if one listens. */
  status(sentence: () => string): void;
  /** A round was healthy. */
  alive(): void;
  reloading(): void;
  /** The end of `reloading`, whether it took the new configuration or not. */
  reloaded(): void;
  stopping(): void;
}

interface NotifyEnvironment {
  readonly NOTIFY_SOCKET?: string | undefined;
  readonly WATCHDOG_USEC?: string | undefined;
  readonly WATCHDOG_PID?: string | undefined;
}

/** ms that one notification may hold the program up when systemd does not read. */
const patience = 1000;

/** @param failed hears why systemd could not be told; once per reason that is not the one before */
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

/** @param send takes one datagram's text */
export function notifier(send: (text: string) => void): Notify {
  let told: string | undefined;
  let beating = false;
  return {
    ready() {
      beating = true;
      send('READY=1');
    },
    status(sentence) {
      const now = sentence();
      if (now === told) return;
      told = now;
      send(`STATUS=${now.replaceAll('\n', ' ')}`);
    },
    alive() {
      if (beating) send('WATCHDOG=1');
    },
    reloading() {
      // In one datagram: systemd drops a RELOADING=1 that has no time of its own.
      send(`RELOADING=1\nMONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`);
    },
    reloaded() {
      // To systemd it is the same word; said before the first round it would be a lie.
      if (beating) send('READY=1');
    },
    stopping() {
      send('STOPPING=1\nSTATUS=stopping; routes stay as they are');
    },
  };
}

/** Nobody listens: nothing is even put into words. */
const silent: Notify = { ...notifier(() => undefined), status: () => undefined };

/**
 * How often there must be a round for systemd's watchdog: three within its time, so that a slow one is not a
 * death sentence.
 *
 * @returns ms; Infinity without a watchdog
 */
export function watchdogPace({ WATCHDOG_USEC, WATCHDOG_PID }: NotifyEnvironment, pid: number): number {
  const limit = Number(WATCHDOG_USEC);
  const forUs = WATCHDOG_PID === undefined || Number(WATCHDOG_PID) === pid;
  return limit > 0 && forUs ? limit / 1000 / 3 : Number.POSITIVE_INFINITY;
}
