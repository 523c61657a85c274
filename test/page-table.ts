import { readFileSync } from 'node:fs';

/**
 * The rows of the table of a page that follows a line `<!-- NAME -->`, without its head; each cell as it is written.
 *
 * @param page `docs/metrics.md`
 * @throws Error where there is no such table
 */
export function pageTable(page: string, name: string): readonly (readonly string[])[] {
  const lines = readFileSync(new URL(`../${page}`, import.meta.url), 'utf8').split('\n');
  const head = lines.indexOf(`<!-- ${name} -->`) + 2;
  const body = lines.slice(head + 2);
  const end = body.findIndex((line) => !line.startsWith('|'));
  if (head === 1 || end < 1) throw new Error(`${page} has no table ${name}`);
  return body.slice(0, end).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

/** What stands in backticks in a cell. */
export function namesIn(cell: string | undefined): readonly string[] {
  return [...(cell ?? '').matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);
}
