import { command } from '../model/iproute.ts';
import type { Listing } from '../model/listing.ts';
import { type Change, changeObject } from '../model/object.ts';

/** A command with its reason, still one that a shell takes. */
export function annotated(line: string, why: string): string {
  // Behind the end of a here-document nothing may stand.
  return line.includes('\n') ? `# ${why}\n${line}` : `${line}  # ${why}`;
}

/** A change as it is printed: the command that does the same. */
export function commandOf(
  change: Change,
  { links, formerSysctls }: Pick<Listing, 'links' | 'formerSysctls'>,
): string {
  const object = changeObject(change);
  const former = object.kind === 'sysctl' ? formerSysctls.get(object.name) : undefined;
  return command(change, (index) => links.find((link) => link.index === index)?.name ?? `if${index}`, former);
}
