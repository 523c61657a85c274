import { writeFileSync } from 'node:fs';
import type { KubernetesAccess } from '../cluster/kubeconfig-files.ts';
import type { ConfigProblem } from '../config/config-problem.ts';
import { fixedKeys } from '../config/fixed-keys.ts';
import type { Config } from '../config/notation.ts';
import type { LastReload } from '../daemon/last-reload.ts';
import type { Notify } from '../daemon/notify.ts';
import type { RecentEvents } from '../journal/recent-events.ts';
import type { Log } from '../log.ts';
import { type Cli, Failure } from './cli.ts';

// The common part of the start of both daemons.

interface Loaded<C> {
  readonly config: C;
  readonly warnings: readonly ConfigProblem[];
}

/** Log and systemd notifications of a daemon. */
export interface SetUp {
  readonly log: Log;
  readonly notify: Notify;
  /** What the log said last. */
  readonly recent: RecentEvents;
  readonly lastReload: LastReload;
  /** Upper limit in ms for the resync interval, for systemd's watchdog. */
  readonly longestRest: number;
}

/** @throws Failure when this host lacks a requirement of both roles */
export async function setUpDaemon(cli: Cli, { logLevel, logFormat }: Config): Promise<SetUp> {
  const { createLog } = await import('../log.ts');
  const { journalSink } = await import('../journal/sink.ts');
  const { RecentEvents } = await import('../journal/recent-events.ts');
  const { LastReload } = await import('../daemon/last-reload.ts');
  const { openNotify, watchdogPace } = await import('../daemon/notify.ts');
  const { missing, readHost } = await import('../kernel/requirements.ts');
  const recent = new RecentEvents();
  const log = createLog({
    level: logLevel,
    format: logFormat,
    stream: cli.stderr,
    env: cli.env,
    journal: journalSink(cli.env),
    recent: recent.write,
  });
  const notify = openNotify(cli.env, (error) =>
    log.warn({ event: 'notify-failed', error }, 'cannot tell systemd'),
  );
  // Node calls its first thread MainThread, and so ps, top and systemctl status would call us.
  writeFileSync('/proc/self/comm', 'eiproute');
  const lacks = missing(await readHost());
  if (lacks.length > 0) {
    throw new Failure(lacks.map(({ message, advice }) => `${message}. ${advice}`).join(' '));
  }
  return {
    log,
    notify,
    recent,
    lastReload: new LastReload(),
    longestRest: watchdogPace(cli.env, process.pid),
  };
}

/** Logs warnings about the access to the API server: it works, but is insecure. */
export async function logAccessWarnings(cli: Cli, log: Log, access: KubernetesAccess): Promise<void> {
  const { accessWarnings } = await import('../cluster/access-warnings.ts');
  for (const { code, subject, message, advice } of accessWarnings(access, cli.env)) {
    log.warn({ event: 'problem', code, subject, problem: message, advice }, message);
  }
}

/** Logs the warnings of a configuration that is valid. */
export async function logConfigWarnings(log: Log, warnings: readonly ConfigProblem[]): Promise<void> {
  const { problemLine } = await import('../config/config-problem.ts');
  for (const warning of warnings)
    log.warn({ event: 'config-warning', key: warning.key, warning: problemLine(warning) }, 'configuration');
}

/** Yields the new configuration after each SIGHUP. An invalid one is reported and changes nothing. */
export async function* reloads<C extends Config>(
  cli: Cli,
  first: C,
  { log, notify, lastReload }: SetUp,
  read: () => Promise<Loaded<C> | undefined>,
): AsyncGenerator<C> {
  const { changedKeys } = await import('../config/notation.ts');
  let current = first;
  for await (const _ of hangups(cli.signal)) {
    notify.reloading();
    using _done = defer(notify.reloaded);
    const loaded = await read();
    if (loaded === undefined) {
      lastReload.wasRefused([]);
      log.error({ event: 'config-refused' }, 'the new configuration is refused; the old one stays in force');
      continue;
    }
    const { config: next, warnings } = loaded;
    await logConfigWarnings(log, warnings);
    const changed = changedKeys(current, next);
    const fixed = changed.filter((key) => fixedKeys.includes(key));
    if (fixed.length > 0) {
      lastReload.wasRefused(fixed);
      log.error(
        { event: 'config-refused', keys: fixed },
        'these settings need a restart; the old configuration stays in force',
      );
      continue;
    }
    current = next;
    lastReload.wasTaken();
    log.level = current.logLevel;
    log.info({ event: 'config-reloaded', changed }, 'configuration reloaded');
    yield current;
  }
}

function defer(work: () => void): Disposable {
  return { [Symbol.dispose]: work };
}

async function* hangups(signal: AbortSignal): AsyncGenerator<void> {
  let pending = 0;
  let ring: (() => void) | undefined;
  const hear = (): void => {
    pending += 1;
    ring?.();
  };
  process.on('SIGHUP', hear);
  signal.addEventListener('abort', () => ring?.());
  try {
    while (!signal.aborted) {
      if (pending === 0) {
        await new Promise<void>((resolve) => {
          ring = resolve;
        });
        continue;
      }
      pending = 0;
      yield;
    }
  } finally {
    process.off('SIGHUP', hear);
  }
}
