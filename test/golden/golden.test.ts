import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';
import { playSession } from './session.ts';

const folder = new URL('.', import.meta.url);

// UPDATE_GOLDEN=1 writes what the program does now into the files. Read the difference before it is committed.
describe('golden sessions', () => {
  for (const name of readdirSync(folder)
    .filter((file) => file.endsWith('.txt'))
    .sort()) {
    it(name, async () => {
      const file = new URL(name, folder);
      const text = readFileSync(file, 'utf8');
      const now = await playSession(text);
      if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(file, now);
      else expect(now).to.equal(text);
    });
  }
});
