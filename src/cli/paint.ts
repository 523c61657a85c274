import { styleText } from 'node:util';
import type { Cli } from './cli.ts';

/** Colours a part of a text; on anything but a terminal it returns the text as it is. */
export type Paint = (text: string, colour: 'green' | 'yellow' | 'red') => string;

export const plain: Paint = (text) => text;

/** Colours only for a terminal, and not where NO_COLOR forbids them (https://no-color.org). */
export function painter({ stdout, env }: Cli): Paint {
  if (!stdout.isTTY || env['NO_COLOR'] || env['TERM'] === 'dumb') return plain;
  return (text, colour) => styleText(colour, text, { validateStream: false });
}
