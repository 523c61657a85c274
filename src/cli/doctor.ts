import { readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { AnyConfiguration } from '../explain/doctor-inquiry.ts';
import { type Cli, Failure, printJson } from './cli.ts';
import { type ExitCode, exit } from './exit.ts';
import { configFile, optionsOf } from './options.ts';
import { painter, plain } from './paint.ts';
import type { Program } from './program.ts';
import { release } from './version.ts';

interface Options {
  readonly bundle?: string;
  readonly json?: boolean;
}

export function addDoctor({ root, run }: Program): void {
  root
    .command('doctor')
    .description('check this host, before the first start and at any time')
    .option('--bundle <file>', 'write a tar for a bug report as well, with secrets removed')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExit codes: 0 nothing is wrong (there may be warnings), 1 a check has failed.')
    .action(run(examineHost));
}

async function examineHost(cli: Cli, command: Command): Promise<ExitCode> {
  const { bundle, json } = optionsOf<Options>(command);
  const { LinuxKernel } = await import('../kernel/linux.ts');
  const { examine } = await import('../explain/doctor-inquiry.ts');
  const { doctor } = await import('../explain/doctor.ts');
  const { doctorText } = await import('./doctor-text.ts');
  const { printableJson } = await import('../model/text.ts');
  const configuration = await configurationOf(cli, command);
  const state = configuration.kind === 'refused' ? '/nonexistent' : configuration.config.stateDirectory;
  await using kernel = await LinuxKernel.open(state);
  const facts = await examine({ configuration, kernel, release, env: cli.env }, cli.signal);
  const checks = doctor(facts);
  const about = `eiproute ${release} on ${hostname()}, ${await system()}, Linux ${facts.kernel}`;
  const report = { version: 1, about, checks };
  if (json) printJson(cli, report);
  else cli.stdout.write(doctorText(about, checks, painter(cli)));
  if (bundle !== undefined) {
    const reports = [
      { name: 'doctor.txt', text: doctorText(about, checks, plain) },
      { name: 'doctor.json', text: `${printableJson(report)}\n` },
    ];
    const file = resolve(cli.cwd, bundle);
    await write(file, configuration, reports, cli.signal);
    cli.stderr.write(
      `eiproute: ${file} is for a bug report; look into it before you send it: tar -tvf ${file}\n`,
    );
  }
  return checks.some(({ state: one }) => one === 'FAIL') ? exit.failed : exit.ok;
}

async function write(
  file: string,
  configuration: AnyConfiguration,
  reports: Parameters<typeof import('../explain/bundle.ts').bundleFiles>[1],
  signal: AbortSignal,
): Promise<void> {
  const { bundleFiles } = await import('../explain/bundle.ts');
  const { tarOf } = await import('../explain/tar.ts');
  const tar = tarOf(await bundleFiles(configuration, reports, signal), Date.now());
  try {
    await writeFile(file, tar, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    throw new Failure(`${file} exists already (EEXIST): name another file with --bundle`);
  }
}

/** The configuration of either role; one that is refused is a finding. */
async function configurationOf(cli: Cli, command: Command): Promise<AnyConfiguration> {
  const { loadAnyConfig } = await import('./any-config.ts');
  const { problemLine } = await import('../config/config-problem.ts');
  const { role, result } = await loadAnyConfig(cli, command);
  const file = resolve(cli.cwd, configFile(optionsOf(command), cli, role));
  if (result.kind === 'refused') return { kind: 'refused', file, errors: result.errors.map(problemLine) };
  const warnings = result.warnings.map(problemLine);
  return result.role === 'gateway'
    ? { kind: 'gateway', file, warnings, config: result.config }
    : { kind: 'node', file, warnings, config: result.config };
}

/** `Debian GNU/Linux 12 (bookworm)` */
async function system(): Promise<string> {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '');
  return /^PRETTY_NAME="?([^"\n]*)/m.exec(text)?.[1] ?? 'an unknown system';
}
