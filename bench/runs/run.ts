/** What every contender is told on its command line. */
export interface Task {
  readonly count: number;
  readonly nhid: number;
  readonly table: number;
  readonly protocol: number;
}

/** ms */
export interface Deeds {
  readonly add: number;
  readonly dump: number;
  readonly delete: number;
}

/** What every contender prints as JSON: by the clock, and in processor time where it is known. */
export interface Times extends Deeds {
  readonly work?: Deeds;
}

export const firstAddress = 0xc6120000; // 198.18.0.0, set aside for benchmarks

export function address(i: number): string {
  const number = firstAddress + i;
  return `${number >>> 24}.${(number >>> 16) & 255}.${(number >>> 8) & 255}.${number & 255}`;
}

export function task(): Task {
  const [count, nhid, table, protocol] = process.argv.slice(2).map(Number);
  if (!count || !nhid || !table || !protocol) throw new Error('usage: COUNT NHID TABLE PROTOCOL');
  return { count, nhid, table, protocol };
}

export async function timed(work: () => unknown): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

export function report(times: Times): void {
  process.stdout.write(`${JSON.stringify(times)}\n`);
}
