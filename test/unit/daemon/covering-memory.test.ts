import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { CoveringMemory, isCoveringMemory } from '../../../src/daemon/covering-memory.ts';
import { parseIp } from '../../../src/model/ip.ts';
import type { Kept, KeptCarriers } from '../../../src/probe/kept.ts';
import { until } from '../probe/until.ts';

const none = new Map<string, number>();
const carriers: KeptCarriers = {
  carrying: { 4: ['n2', 'n3'], 6: [] },
  left: { 4: new Map([['n1', 100]]), 6: none },
};
const kept: Kept = {
  services: new Map([['default/web', carriers]]),
  clusters: new Map([['', carriers]]),
  deleted: new Map([['n1', { addresses: [parseIp('10.0.0.11')], ms: 100 }]]),
};

describe('the memory of who is covered for', () => {
  let folder: string;
  let file: string;
  let now = 0;
  let changes = 0;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'eip-state-'));
    file = join(folder, 'covering.json');
    now = 1000;
    changes = 0;
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const memory = (path = file) =>
    new CoveringMemory(path, { kept: () => kept, changes: () => changes, clock: () => now });

  /** Runs until it has written what is due. */
  async function written(one: CoveringMemory): Promise<void> {
    const stop = new AbortController();
    const running = one.run(stop.signal);
    stop.abort();
    await running;
  }

  it('is recalled with the time that has passed since', async () => {
    const before = memory();
    changes = 1;
    await written(before);
    now = 1500;
    const aged = { ...carriers, left: { 4: new Map([['n1', 600]]), 6: none } };
    expect(await memory().recall()).to.deep.equal({
      services: new Map([['default/web', aged]]),
      clusters: new Map([['', aged]]),
      deleted: new Map([['n1', { addresses: ['10.0.0.11'], ms: 600 }]]),
    });
    now = 0;
    expect(await memory().recall(), 'with a clock that was set back').to.deep.equal(kept);
  });

  it('is not written without a change, and again with the next one', async () => {
    const one = memory();
    await written(one);
    expect(await one.recall()).to.equal(undefined);
    changes = 1;
    await written(one);
    const text = readFileSync(file, 'utf8');
    now = 2000;
    await written(one);
    expect(readFileSync(file, 'utf8')).to.equal(text);
    changes = 2;
    await written(one);
    expect(readFileSync(file, 'utf8')).not.to.equal(text);
    expect([
      isCoveringMemory(text),
      isCoveringMemory('[]'),
      isCoveringMemory('{'),
      isCoveringMemory('{}'),
    ]).to.deep.equal([true, false, false, false]);
  });

  it('is written after a round that changed it', async () => {
    const one = memory();
    const stop = new AbortController();
    const running = one.run(stop.signal);
    one.rounded();
    changes = 1;
    one.rounded();
    await until('it is written', () => existsSync(file));
    stop.abort();
    await running;
  });

  for (const [name, text] of [
    ['of another version', '{ "version": 9, "services": {}, "clusters": {}, "deleted": {} }'],
    ['of another shape', '{ "version": 1, "at": 0, "services": {}, "clusters": [], "deleted": {} }'],
    [
      'with an address that is none',
      `{ "version": 1, "at": 0, "services": {}, "clusters": {}, "deleted": { "n1": { "addresses": ["n1"], "ms": 1 } } }`,
    ],
    ['that is cut off', '{ "version"'],
  ] as const)
    it(`is nothing in a file ${name}, which is told`, async () => {
      writeFileSync(file, text);
      const one = memory();
      expect(await one.recall()).to.equal(undefined);
      expect(one.problems.map(({ code, subject }) => `${code} ${subject}`)).to.deep.equal([
        `covering-not-remembered ${file}`,
      ]);
      changes = 1;
      await written(one);
      expect(one.problems).to.deep.equal([]);
    });

  it('tells that it cannot be written', async () => {
    writeFileSync(file, '');
    const one = memory(join(file, 'covering.json'));
    changes = 1;
    await written(one);
    expect(one.problems[0]?.message).to.match(
      /^which nodes others cover for cannot be saved: .*; a restart would/,
    );
  });
});
