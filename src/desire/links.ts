import type { Link } from '../model/object.ts';

/** The interface, when packets can leave by it. */
export function alive(links: readonly Link[], name: string): Link | undefined {
  const link = links.find((one) => one.name === name);
  return link?.up && link.carrier ? link : undefined;
}
