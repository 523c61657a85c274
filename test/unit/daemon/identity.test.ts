import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { identity, isIdentity } from '../../../src/daemon/identity.ts';

describe('the identity of a gateway', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'eip-identity-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('is the same after a restart, and not that of another one', async () => {
    const state = join(folder, 'state');
    const own = await identity(state);
    expect(own.startsWith(`${hostname()}_`)).to.equal(true);
    expect(await identity(state)).to.equal(own);
    expect(await identity(join(folder, 'other'))).not.to.equal(own);
  });

  for (const [what, text] of [
    ['empty', ''],
    ['of zeros', '\0'.repeat(37)],
    ['cut off', '0b5b8bb6-0f'],
  ] as const)
    it(`is made anew where a loss of power has left its file ${what}`, async () => {
      writeFileSync(join(folder, 'identity'), text);
      const own = await identity(folder);
      expect(isIdentity(readFileSync(join(folder, 'identity'), 'utf8'))).to.equal(true);
      expect(await identity(folder)).to.equal(own);
    });

  it('is one of this run where it cannot be kept', async () => {
    mkdirSync(join(folder, 'identity'));
    const own = await identity(folder);
    expect(isIdentity(`${own.slice(hostname().length + 1)}\n`)).to.equal(true);
    expect(await identity(folder)).not.to.equal(own);
    // No folder can be made in a file.
    writeFileSync(join(folder, 'file'), '');
    expect(await identity(join(folder, 'file', 'state'))).to.match(/_[-0-9a-f]{36}$/);
  });
});
