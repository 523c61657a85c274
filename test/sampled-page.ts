import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';

/** A block of a page that shows what eiproute prints: `<!-- sample NAME -->` and a fenced block. */
const block = /(<!-- sample (\w+) -->\n\n```\n)([\s\S]*?)(```\n)/g;

/**
 * Holds the samples of a page to what is printed, in any order; UPDATE_DOCS=1 writes them anew.
 *
 * @param page `docs/status.md`
 * @param printed by name
 */
export function expectSamples(page: string, printed: ReadonlyMap<string, string>): void {
  const path = fileURLToPath(new URL(`../${page}`, import.meta.url));
  const text = readFileSync(path, 'utf8');
  const anew = text.replace(
    block,
    (_, head: string, name: string, _old: string, end: string) =>
      `${head}${printed.get(name) ?? `no sample ${name}\n`}${end}`,
  );
  if (process.env['UPDATE_DOCS']) writeFileSync(path, anew);
  expect(text).to.equal(anew);
  expect([...text.matchAll(block)].map(([, , name]) => name).sort()).to.deep.equal(
    [...printed.keys()].sort(),
  );
}
