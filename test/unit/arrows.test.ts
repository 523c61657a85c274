import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { type Arrows, arrows, circle, crossings, disagreements } from '../../scripts/arrows.ts';

const table: Arrows = {
  'src/model': [],
  'src/kernel': ['src/model'],
  'src/reconcile': ['src/model', 'src/kernel/kernel.ts'],
  'src/cli': ['src/model', 'src/cli/demo.ts'],
  'src/cli/demo.ts': ['src/cli', 'lab'],
  lab: [],
};

/** Assembled, or the check would take the line for an import of this file. */
function from(path: string): string {
  return `import { a } from '${path}';`;
}

describe('crossings', () => {
  const cases: readonly {
    readonly name: string;
    readonly file: string;
    readonly line: string;
    readonly wrong?: string;
  }[] = [
    { name: 'lets a room import itself', file: 'src/model/a.ts', line: from('./b.ts') },
    {
      name: 'lets a room import an allowed one',
      file: 'src/kernel/netlink/a.ts',
      line: from('../../model/ip.ts'),
    },
    {
      name: 'refuses a room that the entry does not name',
      file: 'src/model/a.ts',
      line: from('../journal/facts.ts'),
      wrong: 'src/model may not import src/journal/facts.ts',
    },
    {
      name: 'lets a room import an allowed file of another',
      file: 'src/reconcile/a.ts',
      line: from('../kernel/kernel.ts'),
    },
    {
      name: 'refuses the other files of that room',
      file: 'src/reconcile/a.ts',
      line: from('../kernel/linux.ts'),
      wrong: 'src/reconcile may not import src/kernel/linux.ts',
    },
    {
      name: 'gives a file with an entry of its own more',
      file: 'src/cli/demo.ts',
      line: `await import('${'../../lab/demo/demo.ts'}');`,
    },
    {
      name: 'and its neighbours not',
      file: 'src/cli/plan.ts',
      line: `await import('${'../../lab/demo/demo.ts'}');`,
      wrong: 'src/cli may not import lab/demo/demo.ts',
    },
    {
      name: 'sees an import over several lines',
      file: 'src/model/a.ts',
      line: from('../kernel/b.ts').replaceAll(' a ', '\n  a,\n'),
      wrong: 'src/model may not import src/kernel/b.ts',
    },
    {
      name: 'sees a re-export, and an import for its effects',
      file: 'src/model/a.ts',
      line: `${from('./a.ts').replace('import', 'export')}\nimport '${'../kernel/b.ts'}';`,
      wrong: 'src/model may not import src/kernel/b.ts',
    },
    {
      name: 'sees the file of a worker thread',
      file: 'src/model/a.ts',
      line: `new Worker(new URL('${'../kernel/a.worker.ts'}', import.meta.url));`,
      wrong: 'src/model may not import src/kernel/a.worker.ts',
    },
    { name: 'refuses a file in no room', file: 'src/news/a.ts', line: '', wrong: 'in no room' },
  ];
  for (const { name, file, line, wrong } of cases) {
    it(name, () => {
      const found = crossings(table, file, line);
      expect(found).to.have.length(wrong === undefined ? 0 : 1);
      if (wrong !== undefined) expect(found[0]).to.contain(wrong);
    });
  }
});

describe('disagreements', () => {
  const map = (reconcile: string): string =>
    [
      '- **`model/`**: the kernel and its cli.',
      '  May import: nothing of ours.',
      '- **`kernel/`**: x. May import: model.',
      `- **\`reconcile/\`**: x.\n  May import: ${reconcile}.`,
      '- **`cli/`**: x.',
      '  May import: model.',
    ].join('\n');

  it('finds none when rooms are named by hand, by their files, or by what is left out', () => {
    for (const said of ['model, `kernel/kernel.ts`', 'model and the port of kernel', 'all but cli']) {
      expect(disagreements(table, map(said)), said).to.deep.equal([]);
    }
  });

  it('finds an entry that says too much, says too little, says nothing, or is missing', () => {
    for (const said of ['all', 'model']) expect(disagreements(table, map(said)), said).to.have.length(1);
    const silent = map('model, kernel').replace('\n  May import: nothing of ours.', '');
    expect(disagreements(table, silent)).to.have.length(1);
    expect(disagreements(table, map('all').replace('- **`model/`', '- **`models/`'))).to.have.length(2);
  });
});

describe('the table of arrows', () => {
  it('has no circle, and one would be found', () => {
    expect(circle(arrows)).to.deep.equal([]);
    expect(circle({ ...table, 'src/model': ['src/reconcile'] })).to.deep.equal([
      'src/model',
      'src/reconcile',
      'src/model',
    ]);
  });

  it('agrees with the map', () => {
    expect(disagreements(arrows, readFileSync('src/README.md', 'utf8'))).to.deep.equal([]);
  });
});
