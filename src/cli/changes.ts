import { command } from '../model/iproute.ts';
import type { Listing } from '../model/listing.ts';
import { type Change, changeObject } from '../model/object.ts';
import { shellComment } from '../model/text.ts';

/** A shell command with its reason as a comment. */
export function annotated(line: string, why: string): string {
  // The end of a here-document must be alone on its line.
  const comment = shellComment(why);
  return line.includes('\n') ? `${comment}\n${line}` : `${line}  ${comment}`;
}

/** A held command: each of its lines is a comment. */
export function withheld(line: string, reason: string): string {
  return line
    .split('\n')
    .map((one, i) => shellComment(i === 0 ? `held (${reason}): ${one}` : one))
    .join('\n');
}

/** A change as the shell command with the same effect. */
export function commandOf(
  change: Change,
  { links, formerSysctls }: Pick<Listing, 'links' | 'formerSysctls'>,
): string {
  const object = changeObject(change);
  const former = object.kind === 'sysctl' ? formerSysctls.get(object.name) : undefined;
  return command(change, (index) => links.find((link) => link.index === index)?.name ?? `if${index}`, former);
}
