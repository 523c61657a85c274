import { type Service, serviceName } from '../model/cluster.ts';

/** What two pictures differ in, by identity. */
export interface Changes {
  readonly changed: readonly Service[];
  readonly gone: readonly string[];
}

/** @param before sorted by `namespace/name`, as is `after` */
export function changesBetween(before: readonly Service[], after: readonly Service[]): Changes {
  const changed: Service[] = [];
  const gone: string[] = [];
  let i = 0;
  let j = 0;
  while (i < before.length || j < after.length) {
    const old = before[i];
    const now = after[j];
    if (old === now) {
      i += 1;
      j += 1;
      continue;
    }
    const order = compare(old, now);
    if (order <= 0) i += 1;
    if (order >= 0) j += 1;
    if (order < 0 && old) gone.push(serviceName(old));
    else if (now) changed.push(now);
  }
  return { changed, gone };
}

/** What is not there comes last. */
function compare(a: Service | undefined, b: Service | undefined): number {
  if (a === undefined || b === undefined) return a === undefined ? 1 : -1;
  const one = serviceName(a);
  const two = serviceName(b);
  return one < two ? -1 : one > two ? 1 : 0;
}
