import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { type FormName, formNames, formOf } from './nat-forms.ts';

/** What this file prints, as JSON, of one form at one size. */
export interface NatRun {
  /** ms */
  readonly load: number;
  /** ms */
  readonly more: number;
  /** bytes of the kernel's memory */
  readonly memory: number;
  /** packets in a second of processor time, of each try */
  readonly fresh: readonly number[];
  readonly known: readonly number[];
}

const [, , name = '', ports = '', packets = '', mac = ''] = process.argv;
const tries = 3;
/** Flows of one try: the table of connections takes 262,144 by default. */
const freshPackets = 60_000;
const knownPackets = 300_000;

/** Bytes that the kernel keeps for itself: what it cannot give back, of slabs, vmalloc and per processor. */
function kernelMemory(): number {
  const text = readFileSync('/proc/meminfo', 'utf8');
  const of = (line: string): number => Number(new RegExp(`^${line}: +(\\d+)`, 'm').exec(text)?.[1] ?? 0);
  return 1024 * (of('SUnreclaim') + of('VmallocUsed') + of('Percpu'));
}

/** Packets that this namespace has forwarded. */
function forwarded(): number {
  const [names = '', numbers = ''] = readFileSync('/proc/thread-self/net/snmp', 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('Ip: '));
  return Number(numbers.split(' ')[names.split(' ').indexOf('ForwDatagrams')]);
}

/** @returns packets in a second of processor time */
function send(kind: 'new' | 'known', count: number, to = mac): number {
  const before = forwarded();
  const argv = [
    'netns',
    'exec',
    'client',
    'taskset',
    '-c',
    '1',
    packets,
    'eth0',
    to,
    kind,
    ports,
    String(count),
  ];
  const { sent, work }: { sent: number; work: number } = JSON.parse(
    execFileSync('ip', argv, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }),
  );
  const arrived = forwarded() - before;
  // Nothing is forwarded of what is sent to nobody.
  if (to === mac && arrived < sent) throw new Error(`${arrived} of ${sent} packets were forwarded`);
  return (sent / work) * 1000;
}

async function timed(deed: () => unknown): Promise<number> {
  const start = performance.now();
  await deed();
  return performance.now() - start;
}

const rates = (kind: 'new' | 'known', count: number, to?: string): readonly number[] =>
  Array.from({ length: tries }, () => send(kind, count, to));

let run: NatRun;
if (name === 'the sender alone') {
  // A frame for another host is dropped where it comes in.
  const nobody = '02:00:00:00:00:99';
  run = {
    load: 0,
    more: 0,
    memory: 0,
    fresh: rates('new', freshPackets, nobody),
    known: rates('known', knownPackets, nobody),
  };
} else {
  const found: FormName | undefined = formNames.find((one) => one === name);
  if (found === undefined) throw new Error(`no form "${name}"`);
  const form = await formOf(found);
  const before = kernelMemory();
  const load = await timed(() => form.load(Number(ports)));
  const memory = kernelMemory() - before;
  const more = await timed(() => form.more(Number(ports)));
  run = { load, more, memory, fresh: rates('new', freshPackets), known: rates('known', knownPackets) };
}
process.stdout.write(`${JSON.stringify(run)}\n`);
