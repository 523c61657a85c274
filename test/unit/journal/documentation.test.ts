import { globSync, readFileSync } from 'node:fs';
import { expect } from 'chai';
import { type Event, events } from '../../../src/journal/event.ts';
import { namesIn, pageTable } from '../../page-table.ts';

const sources = globSync('src/**/*.ts')
  .filter((path) => path !== 'src/journal/event.ts')
  .map((path) => readFileSync(path, 'utf8'));

/** The facts that the sentence of an event asks for, when it has each, and when it has none. */
function factsAsked({ say }: Event): ReadonlySet<string> {
  const asked = new Set<string>();
  for (const fact of ['1', undefined]) {
    const get = (_: object, name: string | symbol): unknown => {
      asked.add(String(name));
      return fact;
    };
    say(new Proxy({}, { get }));
  }
  return asked;
}

describe('the events in docs/events.md', () => {
  const rows = pageTable('docs/events.md', 'kinds');

  it('are those of the program, in alphabetical order', () => {
    expect(rows.map(([name]) => namesIn(name).join(' '))).to.deep.equal(Object.keys(events).sort());
  });

  it('have the level that their priority asks for', () => {
    const notices = Object.entries<Event>(events).flatMap(([name, { priority }]) =>
      priority === 5 ? [name] : [],
    );
    const said = rows.filter(([, level]) => level === 'notice').map(([name]) => namesIn(name)[0]);
    expect(said).to.deep.equal(notices.sort());
    for (const [name, level] of rows)
      expect(level, name).to.be.oneOf(['notice', 'info', 'warn', 'error', 'info, warn', 'warn, error']);
  });

  it('have all the fields that their sentences are made of', () => {
    const fields = new Map(rows.map(([name, , , cell]) => [namesIn(name)[0], namesIn(cell)]));
    for (const [name, event] of Object.entries<Event>(events))
      expect(fields.get(name), name).to.include.members([...factsAsked(event)]);
  });
});

describe('the events of the journal', () => {
  it('are each written somewhere', () => {
    const unwritten = Object.keys(events).filter(
      (name) => !sources.some((text) => text.includes(`'${name}'`)),
    );
    expect(unwritten).to.deep.equal([]);
  });

  it('hold every event that the source writes', () => {
    const written = sources.flatMap((text) => [...text.matchAll(/\bevent: '([a-z-]+)'/g)]);
    expect(written.length).to.be.greaterThan(15);
    for (const [, name] of written) expect(Object.keys(events)).to.include(name);
  });
});
