import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import { tarOf } from '../../../src/explain/tar.ts';

describe('tarOf', () => {
  it('is read by tar', () => {
    const files = [
      { name: 'a/one.txt', text: 'one\n' },
      { name: 'a/empty.txt', text: '' },
      { name: 'a/block.txt', text: 'x'.repeat(512) },
      { name: 'a/umlaut.txt', text: 'ä'.repeat(300) },
    ];
    const tar = tarOf(files, Date.UTC(2026, 0, 1));
    // The end of a tar: two empty blocks.
    expect(tar.subarray(-1024).every((byte) => byte === 0)).to.equal(true);
    const read = (...args: readonly string[]): string =>
      execFileSync('tar', args, { input: tar, encoding: 'utf8' });
    expect(read('-tf', '-').trim().split('\n')).to.deep.equal(files.map(({ name }) => name));
    for (const { name, text } of files) expect(read('-xOf', '-', name)).to.equal(text);
    expect(read('-tvf', '-', '--utc')).to.match(/^-rw------- root\/root +4 2026-01-01 00:00 a\/one\.txt$/m);
  });
});
