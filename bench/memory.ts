import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { mib, runEvents } from './events.ts';
import { packaged } from './packaged.ts';
import type { Memory } from './runs/memory-of.ts';
import { median, table } from './table.ts';

/** Runs of each row; the table has the medians. */
const rounds = 5;

/** What is loaded: as npm names it, or a file of ours. */
const modules: readonly (readonly [name: string, specifier: string])[] = [
  ['Node alone', ''],
  ['ipaddr.js', 'ipaddr.js'],
  ['convict', 'convict'],
  ['yaml', 'yaml'],
  ['commander', 'commander'],
  ['pino', 'pino'],
  ['koffi', 'koffi'],
  ['undici', 'undici'],
  ['@kubernetes/client-node (tests only)', '@kubernetes/client-node'],
  ['ours: the command line', 'src/cli/program.ts'],
  ['ours: node agent', 'src/daemon/node.ts'],
  ['ours: HTTP and credentials', 'src/cluster/http.ts'],
  ['ours: gateway', 'src/daemon/gateway.ts'],
];

interface Loaded extends Memory {
  readonly load: number;
  readonly cpu: number;
}

/** What Node, each package and we take before anything is done. */
export async function memory(): Promise<string> {
  const entries = modules.filter(([, specifier]) => specifier !== '');
  using bundled = await packaged(Object.fromEntries(entries.map(([, from], i) => [`m${i}`, from])));
  const rows = modules.map(([name, specifier], i) => {
    const file = specifier.startsWith('src/') ? resolve(specifier) : import.meta.resolve(specifier || 'yaml');
    const both = specifier === '' ? [[], []] : [[file], [join(bundled.folder, `m${i - 1}.mjs`)]];
    return [name, ...both.flatMap((words) => cells(loaded(words)))];
  });
  const head = [
    '',
    'checkout: resident',
    'own',
    'loading',
    'processor',
    'package: resident',
    'own',
    'loading',
    'processor',
  ];
  return [
    `Memory and time of what is loaded, medians of ${rounds} processes; processor time is the whole process's`,
    table([head, ...rows]),
    '',
    await agents(),
  ].join('\n');
}

function loaded(words: readonly string[]): Loaded {
  const script = fileURLToPath(new URL('runs/imports.mjs', import.meta.url));
  const runs = Array.from({ length: rounds }, (): Loaded => {
    const argv = ['--disable-warning=ExperimentalWarning', script, ...words];
    return JSON.parse(execFileSync(process.execPath, argv).toString());
  });
  const middle = (field: keyof Loaded): number => median(runs.map((run) => run[field]));
  return { rss: middle('rss'), anon: middle('anon'), load: middle('load'), cpu: middle('cpu') };
}

function cells({ rss, anon, load, cpu }: Loaded): readonly string[] {
  return [mib(rss), mib(anon), `${load.toFixed(0)} ms`, `${cpu.toFixed(0)} ms`];
}

/** What one run of runs/agent.ts prints. */
interface AgentRun {
  readonly start: number;
  readonly memory: readonly Memory[];
  readonly after: Memory;
  readonly repairs: readonly number[];
}

/** The real node agent, as a checkout and as a package. */
async function agents(): Promise<string> {
  using made = await packaged();
  const rows = [
    ['checkout', resolve('bin/eiproute')],
    ['package', made.program],
    ['package, with follow', made.program, 'follow'],
  ].map(([name = '', path = '', ...follow]) => {
    const state = mkdtempSync(join(made.folder, 'state-'));
    const script = fileURLToPath(new URL('runs/agent.ts', import.meta.url));
    const out = execFileSync('unshare', ['--net', process.execPath, script, state, path, ...follow], {
      timeout: 120_000,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const run: AgentRun = JSON.parse(out.toString());
    return [
      name,
      mib(median(run.memory.map(({ rss }) => rss))),
      mib(Math.max(...run.memory.map(({ rss }) => rss))),
      mib(median(run.memory.map(({ anon }) => anon))),
      mib(run.after.rss),
      `${run.start.toFixed(0)} ms`,
      `${median(run.repairs).toFixed(1)} ms`,
      `${Math.max(...run.repairs).toFixed(1)} ms`,
    ];
  });
  const head = [
    '',
    'resident (aim: 60)',
    'most',
    'own',
    'after repairs',
    'start to synced',
    'repair: median',
    'slowest',
  ];
  return [
    'A node agent: two gateways, two families; the median and the most of 30 resyncs; repair: a policy rule is deleted until it is back',
    table([head, ...rows]),
  ].join('\n');
}

/** Whether memory stays level: 100,000 events at 10,000 Services, by the package. */
export async function soak(): Promise<string> {
  using made = await packaged();
  const services = 10_000;
  const cycles = 50_000;
  const samples = [500, 5000, 10_000, 25_000];
  const run = runEvents({ services, cycles, program: made.program, samples, timeout: 7_200_000 });
  return [
    `A gateway of the package with ${services.toLocaleString('en')} Services (aim: 150 MiB, level)`,
    table([
      ['after events', 'resident', 'own'],
      ...run.memory.map(({ events, rss, anon }) => [events.toLocaleString('en'), mib(rss), mib(anon)]),
    ]),
  ].join('\n');
}
