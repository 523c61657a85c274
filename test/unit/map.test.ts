import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';

// What the pages for contributors name is there.

interface Named {
  readonly files: readonly string[];
  readonly names: readonly string[];
}

/** The files and the classes that a page names in backticks. A file in a room's entry may lie in the room. */
function namedIn(page: string): Named {
  const text = readFileSync(page, 'utf8');
  const files: string[] = [];
  const names: string[] = [];
  for (const entry of text.split(/^(?=- |\d+\. |#|$)/m)) {
    const room = /^- \*\*`(\w+)\/`\*\*/.exec(entry)?.[1];
    for (const [, word = ''] of entry.matchAll(/`([^`\n]+)`/g)) {
      if (/^[\w./-]+(?:\/|\.(?:ts|md|html|json))$/.test(word))
        files.push(room === undefined ? word : `${word} in ${room}`);
      else if (/^[A-Z][a-z]+(?:[A-Z][a-z]+)+(?:\.\w+)?$/.test(word)) names.push(word);
    }
  }
  return { files, names };
}

function isThere(file: string): boolean {
  const [path = '', room] = file.split(' in ');
  const roots = room === undefined ? ['src', '.'] : [`src/${room}`, 'src', '.'];
  return roots.some((root) => existsSync(join(root, path)));
}

const sources = globSync('src/**/*.ts').map((path) => readFileSync(path, 'utf8'));

function isDeclared(name: string): boolean {
  const [type = '', member] = name.split('.');
  const declared = new RegExp(`^(?:export )?(?:class|interface|type|function) ${type}\\b`, 'm');
  return sources.some(
    (text) =>
      declared.test(text) && (member === undefined || new RegExp(`^ {2}\\*?${member}\\(`, 'm').test(text)),
  );
}

describe('the map', () => {
  const map = namedIn('src/README.md');

  it('names files that are there', () => {
    expect(map.files.length).to.be.greaterThan(70);
    expect(map.files.filter((file) => !isThere(file))).to.deep.equal([]);
  });

  it('names classes and methods that are there', () => {
    expect(map.names).to.include.members(['PathTable.update', 'GroupTable']);
    expect(map.names.filter((name) => !isDeclared(name))).to.deep.equal([]);
  });
});

describe('the page for contributors', () => {
  it('names files that are there', () => {
    const { files } = namedIn('CONTRIBUTING.md');
    expect(files).to.include('scripts/arrows.ts');
    expect(files.filter((file) => !isThere(file))).to.deep.equal([]);
  });
});
