import type { Command } from 'commander';
import type { GatewayConfig } from '../config/config.ts';
import type { Notify } from '../daemon/notify.ts';
import type { Log } from '../log.ts';
import { type Cli, Failure } from './cli.ts';
import { type ExitCode, exit } from './exit.ts';
import { readConfig } from './gateway-config.ts';
import type { Program } from './program.ts';
import { release } from './version.ts';

export function addGateway({ root, run }: Program): void {
  root
    .command('gateway')
    .description('keep routes and settings of this host in sync with the cluster, until stopped')
    .action(run(gateway));
}

async function gateway(cli: Cli, command: Command): Promise<ExitCode> {
  const loaded = await readConfig(cli, command);
  if (loaded === undefined) return exit.config;
  const { config } = loaded;
  const { createLog } = await import('../log.ts');
  const { runGateway } = await import('../daemon/gateway.ts');
  const { journalSink } = await import('../journal/sink.ts');
  const { openNotify, watchdogPace } = await import('../daemon/notify.ts');
  const { missing, readHost } = await import('../kernel/requirements.ts');
  const log = createLog({
    level: config.logLevel,
    format: config.logFormat,
    stream: cli.stderr,
    env: cli.env,
    journal: journalSink(cli.env),
  });
  const notify = openNotify(cli.env, (error) =>
    log.warn({ event: 'notify-failed', error }, 'cannot tell systemd'),
  );
  const lacks = missing(await readHost());
  if (lacks.length > 0)
    throw new Failure(lacks.map(({ message, advice }) => `${message}. ${advice}`).join(' '));
  await runGateway(
    {
      config,
      release,
      log,
      reloads: reloads(cli, command, config, log, notify),
      notify,
      longestRest: watchdogPace(cli.env, process.pid),
    },
    cli.signal,
  );
  return exit.ok;
}

/** The configuration, read again at each SIGHUP; one that is wrong is told and changes nothing. */
async function* reloads(
  cli: Cli,
  command: Command,
  first: GatewayConfig,
  log: Log,
  notify: Notify,
): AsyncGenerator<GatewayConfig> {
  const { changedKeys } = await import('../config/notation.ts');
  let current = first;
  for await (const _ of hangups(cli.signal)) {
    notify.reloading();
    using _done = defer(notify.reloaded);
    const loaded = await readConfig(cli, command);
    if (loaded === undefined) {
      log.error({ event: 'config-refused' }, 'the new configuration is refused; the old one stays in force');
      continue;
    }
    const changed = changedKeys(current, loaded.config);
    const fixed = changed.filter((key) => needsRestart(key));
    if (fixed.length > 0) {
      log.error(
        { event: 'config-refused', keys: fixed },
        'these settings need a restart; the old configuration stays in force',
      );
      continue;
    }
    current = loaded.config;
    log.level = current.logLevel;
    log.info({ event: 'config-reloaded', changed }, 'configuration reloaded');
    yield current;
  }
}

function defer(work: () => void): Disposable {
  return { [Symbol.dispose]: work };
}

/** What is opened once: the sources, the folders, the mark that tells our objects from others'. */
function needsRestart(key: string): boolean {
  return [
    'kubeconfig',
    'context',
    'source.file',
    'stateDirectory',
    'runtimeDirectory',
    'protocol',
    'table',
    'log.format',
  ].includes(key);
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
