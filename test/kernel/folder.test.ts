import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { makeFolder } from '../../src/folder.ts';
import { describeOnKernel } from './namespace.ts';

describeOnKernel('a folder', () => {
  const root = mkdtempSync(join(tmpdir(), 'eiproute-folder-'));
  after(() => rmSync(root, { recursive: true }));

  it('is made with those above it, also twice', () => {
    const path = join(root, 'a', 'b');
    makeFolder(path);
    makeFolder(path);
    execFileSync('rmdir', [path]);
  });

  it('is refused by a file system that is read-only in these words', () => {
    const module = new URL('../../src/folder.ts', import.meta.url).href;
    const script = `
      import { makeFolder } from '${module}';
      try { makeFolder('${root}/a/b/c'); } catch ({ message }) { console.log(message); }`;
    const inside = 'mount --types tmpfs --options ro eip "$0" && exec "$@"';
    const node = [process.execPath, '--input-type=module', '--eval', script];
    const argv = ['--mount', '--propagation', 'private', 'sh', '-c', inside, root, ...node];
    const said = execFileSync('unshare', argv, { encoding: 'utf8' });
    expect(said).to.equal(`EROFS: read-only file system, mkdir '${root}/a'\n`);
  });

  it('is refused in the place of a file', () => {
    const path = join(root, 'file');
    execFileSync('touch', [path]);
    for (const each of [path, join(path, 'a')])
      expect(() => makeFolder(each)).to.throw(`EEXIST: file already exists, mkdir '${path}'`);
  });
});
