import { readdirSync, readFileSync } from 'node:fs';
import { expect } from 'chai';
import { texts } from '../../../package/tree.ts';

const root = new URL('../../../', import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, root), 'utf8');
const below = (folder: string): readonly string[] =>
  readdirSync(new URL(folder, root), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath.slice(root.pathname.length)}/${entry.name}`);

describe('the files of the package', () => {
  const documents = texts.filter((path) => /^usr\/share\/doc\/eiproute\/.*\.md$/.test(path));

  it('are all that the program and the documents tell a person to use', () => {
    const named = [
      ...below('src'),
      ...below('monitoring'),
      ...below('docs').filter((name) => name.endsWith('.md')),
    ]
      .flatMap((name) =>
        [...read(name).matchAll(/\/usr\/share\/(?:doc\/)?eiproute\/[\w./-]*\w/g)].map(String),
      )
      .map((path) => path.slice(1));
    expect(named).to.include('usr/share/eiproute/sysctl.conf');
    const there = (path: string): boolean =>
      texts.some((text) => text === path || text.startsWith(`${path}/`));
    expect(named.filter((path) => !there(path))).to.deep.equal([]);
  });

  it('hold every document that another one beside it leads to', () => {
    expect(documents).to.have.length.above(10);
    const lost = documents
      .filter((path) => !path.endsWith('/README.md'))
      .flatMap((path) => {
        const name = path.slice(path.lastIndexOf('/') + 1);
        const links = [...read(`docs/${name}`).matchAll(/\]\(([\w.-]+\.(?:md|yaml|json))/g)];
        return links.map(([, to = '']) => to);
      })
      .filter((to) => !texts.includes(`usr/share/doc/eiproute/${to}`));
    expect([...new Set(lost)]).to.deep.equal([]);
  });
});
