import { readFile } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import { type KubernetesAccess, loadKubeconfig } from '../cluster/kubeconfig-files.ts';
import { CredentialsError } from '../cluster/transport.ts';
import { ask } from '../daemon/ask.ts';
import { DaemonError } from '../daemon/daemon-error.ts';
import { sourcesOf } from '../daemon/source.ts';
import { readWith } from '../kernel/program.ts';
import type { AnyConfiguration } from './doctor-inquiry.ts';
import { redactKubeconfig, withoutSecrets } from './secrets.ts';
import type { TarFile } from './tar.ts';

/** Commands whose output is in a bundle. They only read. */
const commands: readonly (readonly [file: string, ...argv: string[]])[] = [
  ['uname.txt', 'uname', '-a'],
  ['links.txt', 'ip', '-d', 'address'],
  ['routes.txt', 'ip', 'route', 'show', 'table', 'all'],
  ['routes6.txt', 'ip', '-6', 'route', 'show', 'table', 'all'],
  ['nexthops.txt', 'ip', 'nexthop'],
  ['rules.txt', 'ip', 'rule'],
  ['rules6.txt', 'ip', '-6', 'rule'],
  ['neighbours.txt', 'ip', 'neigh'],
  ['nftables.txt', 'nft', 'list', 'ruleset'],
  ['sysctls.txt', 'sysctl', '-a', '-r', '^net[.]ipv[46][.](conf|neigh|ip_forward|fib|nexthop)'],
];

/** Records of the journal. */
const mostRecords = '5000';

/** All that a bug report needs of a host, without secrets. */
export async function bundleFiles(
  configuration: AnyConfiguration,
  reports: readonly TarFile[],
  signal: AbortSignal,
): Promise<readonly TarFile[]> {
  const role = configuration.kind === 'node' ? 'node' : 'gateway';
  const [config, kubeconfigs, outputs, journal, answers, os] = await Promise.all([
    textOf(configuration.file),
    kubeconfigsOf(configuration),
    Promise.all(commands.map(([name, program, ...args]) => outputOf(name, program ?? '', args, signal))),
    outputOf(
      'journal.txt',
      'journalctl',
      ['-u', `eiproute-${role}`, '-n', mostRecords, '-o', 'short-iso-precise', '--no-pager'],
      signal,
    ),
    answersOf(configuration, role, signal),
    textOf('/etc/os-release'),
  ]);
  const secrets = kubeconfigs.flatMap((one) => one.secrets);
  const files: readonly TarFile[] = [
    ...reports,
    { name: `${role}.yaml`, text: config },
    { name: 'os-release.txt', text: os },
    ...kubeconfigs.map(({ name, text }) => ({ name, text })),
    ...answers,
    ...outputs,
    journal,
  ];
  return files.map(({ name, text }) => ({
    name: `eiproute-doctor/${name}`,
    text: withoutSecrets(text, secrets),
  }));
}

interface FoundKubeconfig extends TarFile {
  readonly secrets: readonly string[];
}

async function kubeconfigsOf(configuration: AnyConfiguration): Promise<readonly FoundKubeconfig[]> {
  if (configuration.kind === 'refused') return [];
  const accesses =
    configuration.kind === 'gateway'
      ? sourcesOf(configuration.config.source).map(({ access }) => access)
      : [configuration.config.eipsFrom ?? configuration.config.follow];
  const files = accesses.flatMap((access) => (access === undefined ? [] : filesOf(access)));
  return Promise.all([...new Set(files)].map((file, i) => redacted(file, i === 0 ? '' : `-${i + 1}`)));
}

function filesOf(access: KubernetesAccess): readonly string[] {
  try {
    return loadKubeconfig(access).files;
  } catch (error) {
    if (!(error instanceof CredentialsError)) throw error;
    // One that is wrong may hold secrets all the same; it is read as far as that goes.
    return access.kubeconfig === undefined ? [] : [access.kubeconfig];
  }
}

async function redacted(file: string, suffix: string): Promise<FoundKubeconfig> {
  const name = `kubeconfig${suffix}.json`;
  const text = await textOf(file);
  let found: ReturnType<typeof redactKubeconfig>;
  try {
    found = redactKubeconfig(text);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    // Its message quotes the text, which may be a secret; so may every long word of the file be.
    return { name, text: `${file} is no YAML\n`, secrets: text.match(/[^\s"']{8,}/g) ?? [] };
  }
  const paths = found.files.map((path) => (isAbsolute(path) ? path : join(dirname(file), path)));
  const contents = await Promise.all(paths.map(textOf));
  return { name, text: found.text, secrets: [...found.secrets, ...contents] };
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error) return `${error.message}\n`;
    throw error;
  }
}

async function outputOf(
  name: string,
  program: string,
  args: readonly string[],
  signal: AbortSignal,
): Promise<TarFile> {
  const ended = await readWith(program, args, signal);
  if (ended.kind === 'not run') return { name, text: `${ended.why}\n` };
  return { name, text: ended.err === '' ? ended.out : `${ended.out}${ended.err}\n` };
}

async function answersOf(
  configuration: AnyConfiguration,
  role: 'gateway' | 'node',
  signal: AbortSignal,
): Promise<readonly TarFile[]> {
  if (configuration.kind === 'refused') return [];
  const paths = [
    '/status',
    '/objects',
    ...(role === 'gateway' ? (['/eips', '/pools'] as const) : []),
  ] as const;
  return Promise.all(
    paths.map(async (path): Promise<TarFile> => {
      const name = `${path.slice(1).replace(/\?.*/, '')}.json`;
      try {
        const { runtimeDirectory } = configuration.config;
        return { name, text: await ask(runtimeDirectory, role, 'GET', path, signal) };
      } catch (error) {
        if (error instanceof DaemonError) return { name, text: `${error.message}\n` };
        throw error;
      }
    }),
  );
}
