import type { Command } from 'commander';
import type { Cli } from './cli.ts';
import { type ExitCode, exit } from './exit.ts';
import { readForDaemon } from './gateway-config.ts';
import { configFile, optionsOf } from './options.ts';
import type { Program } from './program.ts';
import { logAccessWarnings, logConfigWarnings, reloads, setUpDaemon } from './running.ts';
import { release } from './version.ts';

export function addGateway({ root, run }: Program): void {
  root
    .command('gateway')
    .description(
      'run the gateway: keep routes and settings of this host in sync with the cluster, until stopped',
    )
    .action(run(gateway));
}

async function gateway(cli: Cli, command: Command): Promise<ExitCode> {
  const loaded = await readForDaemon(cli, command);
  if (loaded === undefined) return exit.config;
  const { config, warnings } = loaded;
  const { dropRawPackets } = await import('../kernel/packet-sockets.ts');
  dropRawPackets();
  const file = configFile(optionsOf(command), cli, 'gateway');
  const setUp = await setUpDaemon(cli, config);
  await logConfigWarnings(setUp.log, warnings);
  const { sourcesOf } = await import('../daemon/source.ts');
  for (const { access } of sourcesOf(config.source))
    if (access !== undefined) await logAccessWarnings(cli, setUp.log, access);
  const { runGateway } = await import('../daemon/gateway.ts');
  const again = reloads(cli, config, setUp, () => readForDaemon(cli, command));
  await runGateway({ config, release, reloads: again, configFile: file, ...setUp }, cli.signal);
  return exit.ok;
}
