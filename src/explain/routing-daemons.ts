import { isToldRouters, poolFinder } from '../desire/pools.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { readWith } from '../kernel/program.ts';
import type { Gateway } from '../model/gateway.ts';
import { type Family, family, onlyIp } from '../model/ip.ts';
import type { KernelObject } from '../model/object.ts';
import { ownerOf } from '../model/owner.ts';
import { familiesOf } from './doctor.ts';
import type { RoutingAnswer, RoutingDaemon, RoutingDaemonFacts } from './doctor-facts.ts';
import { type HostProcess, processesNamed } from './processes.ts';
import { birdProtocols, frrCount, frrSessions } from './routing-answers.ts';

/** ms until a routing daemon must have answered; FRR lists 100,000 routes in 0.3 s, and one that starts is busy. */
const patience = 5000;

/** One per daemon; zebra stands for FRR, whose BGP daemon reads from it. */
const daemons: ReadonlyMap<string, RoutingDaemon> = new Map([
  ['bird', 'BIRD'],
  ['zebra', 'FRR'],
]);

/** How many routes of each family a daemon should have. */
type Counts = Readonly<Record<RoutingDaemon, Readonly<Record<Family, number>>>>;

/**
 * Asks the routing daemons of this network namespace what they have of what they are to announce. The kernel is counted
 * before and after: an EIP that comes in between is nobody's fault.
 */
export async function askRoutingDaemons(
  kernel: Kernel,
  gateway: Gateway,
  signal: AbortSignal,
): Promise<readonly RoutingDaemonFacts[]> {
  const running = (await processesNamed(new Set(daemons.keys()))).filter(
    ({ namespace }) => namespace !== 'another',
  );
  if (running.length === 0) return [];
  const before = await count(kernel, gateway, signal);
  const told = await Promise.all(
    running.map(async (one) => {
      const daemon = daemons.get(one.name) ?? 'BIRD';
      return { daemon, told: await ask(daemon, one, gateway, signal) };
    }),
  );
  const after = await count(kernel, gateway, signal);
  return told.map(({ daemon, told: { counts, ...answer } }) => ({
    daemon,
    answer:
      answer.kind !== 'tells'
        ? answer
        : {
            ...answer,
            families: familiesOf({ pools: gateway.pools.filter(isToldRouters) }).map((of) => ({
              family: of,
              has: counts?.[of] ?? 0,
              should: {
                least: Math.min(before[daemon][of], after[daemon][of]),
                most: Math.max(before[daemon][of], after[daemon][of]),
              },
            })),
          },
  }));
}

async function count(kernel: Kernel, gateway: Gateway, signal: AbortSignal): Promise<Counts> {
  const { protocol, table, announce } = gateway;
  const tables = [table, ...(announce?.table === undefined ? [] : [announce.table])];
  const scope = { owner: ownerOf(protocol), tables, sysctls: [], nftTables: [], neighbours: [] };
  const { objects } = await kernel.list(scope, signal);
  const poolOf = poolFinder(gateway.pools);
  const isEip = (object: KernelObject & { kind: 'route' }): boolean => {
    const eip = object.nhid === undefined ? undefined : onlyIp(object.dst);
    const pool = eip === undefined ? undefined : poolOf(eip);
    return object.table === table && pool !== undefined && isToldRouters(pool);
  };
  const counts = { BIRD: { 4: 0, 6: 0 }, FRR: { 4: 0, 6: 0 } };
  for (const object of objects.values()) {
    if (object.kind !== 'route') continue;
    if (object.table === announce?.table) counts.BIRD[family(object.dst)] += 1;
    if (isEip(object)) counts.FRR[family(object.dst)] += 1;
  }
  return counts;
}

type Told =
  | (Omit<Extract<RoutingAnswer, { kind: 'tells' }>, 'families'> & {
      readonly counts: Readonly<Record<Family, number>>;
    })
  | (Exclude<RoutingAnswer, { kind: 'tells' }> & { readonly counts?: undefined });

async function ask(
  daemon: RoutingDaemon,
  process: HostProcess,
  gateway: Gateway,
  signal: AbortSignal,
): Promise<Told> {
  if (process.namespace === 'hidden')
    return {
      kind: 'not permitted',
      why: `only root sees whether process ${process.pid} works in this network namespace`,
    };
  return daemon === 'BIRD' ? askBird(process, signal) : askFrr(process, gateway, signal);
}

async function askBird({ arguments: words }: HostProcess, signal: AbortSignal): Promise<Told> {
  const socket = optionOf(words, '-s');
  // Without -s both programs know the same place. -r: only to read.
  const argv = ['-r', ...(socket === undefined ? [] : ['-s', socket]), 'show', 'protocols', 'all'];
  const answer = await answerOf('birdc', argv, signal);
  if (answer.kind !== 'answer') return answer;
  const { imported, sessions } = birdProtocols(answer.text);
  return imported === undefined ? { kind: 'not included' } : { kind: 'tells', counts: imported, sessions };
}

async function askFrr(
  { arguments: words }: HostProcess,
  gateway: Gateway,
  signal: AbortSignal,
): Promise<Told> {
  const folder = optionOf(words, '--vty_socket');
  const space = optionOf(words, '-N', '--pathspace');
  const where = [
    ...(folder === undefined ? [] : ['--vty_socket', folder]),
    ...(space === undefined ? [] : ['-N', space]),
    ...['-d', 'bgpd', '-c'],
  ];
  const counts = { 4: 0, 6: 0 };
  let isIncluded = false;
  for (const of of familiesOf({ pools: gateway.pools.filter(isToldRouters) })) {
    const words = `show bgp ipv${of} unicast route-map EIP${of}`;
    const answer = await answerOf('vtysh', [...where, words], signal);
    if (answer.kind !== 'answer') return answer;
    const found = frrCount(answer.text);
    if (found === undefined) continue;
    isIncluded = true;
    counts[of] = found;
  }
  if (!isIncluded) return { kind: 'not included' };
  const answer = await answerOf('vtysh', [...where, 'show bgp summary json'], signal);
  return answer.kind === 'answer' ? { kind: 'tells', counts, sessions: frrSessions(answer.text) } : answer;
}

async function answerOf(
  program: string,
  argv: readonly string[],
  signal: AbortSignal,
): Promise<
  | { readonly kind: 'answer'; readonly text: string }
  | { readonly kind: 'silent' | 'not permitted'; readonly why: string }
> {
  const limit = AbortSignal.timeout(patience);
  try {
    const ended = await readWith(program, argv, AbortSignal.any([signal, limit]));
    if (ended.kind === 'not run') return { kind: 'silent', why: ended.why };
    if (ended.status === 0) return { kind: 'answer', text: ended.out };
    const said = `${ended.err}\n${ended.out}`.trim();
    return {
      kind: /permission denied|privileged user/i.test(said) ? 'not permitted' : 'silent',
      why: `${program}: ${said.split('\n')[0]}`,
    };
  } catch (error) {
    if (signal.aborted || !limit.aborted) throw error;
    return { kind: 'silent', why: `${program} had no answer after ${patience / 1000} s` };
  }
}

/** `-s SOCKET`, `--pathspace=NAME` */
function optionOf(words: readonly string[], ...names: readonly string[]): string | undefined {
  for (const [i, word] of words.entries()) {
    if (names.includes(word)) return words[i + 1];
    const name = names.find((one) => one.startsWith('--') && word.startsWith(`${one}=`));
    if (name !== undefined) return word.slice(name.length + 1);
  }
  return undefined;
}
