import { execFileSync } from 'node:child_process';
import { expect } from 'chai';

/** What a script prints that has no file descriptor left when it begins to run. */
function printed(imports: string, script: string): string {
  const from = new URL('../../src/', import.meta.url).href;
  const text = [
    "import { openSync } from 'node:fs';",
    imports.replaceAll('#src/', from),
    'let isFull = false;',
    "while (!isFull) try { openSync('/dev/null'); } catch ({ code }) { isFull = code === 'EMFILE'; }",
    script,
  ].join('\n');
  const words = ['-c', 'ulimit -n 64; exec "$@"', 'sh', process.execPath, '--input-type=module', '-e', text];
  return execFileSync('sh', words, { encoding: 'utf8' });
}

describe('a process without a file descriptor left', () => {
  it('says why a table of nftables is refused', () => {
    const imports = "import { Nft } from '#src/kernel/nft.ts'; import { nftTable } from '#src/model/nft.ts';";
    const script = `
      const want = nftTable({ family: 'inet', name: 'eip' }, 86, '');
      const outcome = await new Nft().apply({ verb: 'add', want }, new AbortController().signal);
      console.log(outcome.code, outcome.message);`;
    expect(printed(imports, script)).to.equal('EMFILE EMFILE: cannot run nft: spawn nft EMFILE\n');
  });

  it('says why a program that reads is not run', () => {
    const imports = "import { readWith } from '#src/kernel/program.ts';";
    const script =
      "console.log(JSON.stringify(await readWith('bird', ['show'], new AbortController().signal)));";
    expect(JSON.parse(printed(imports, script))).to.deep.equal({ kind: 'not run', why: 'spawn bird EMFILE' });
  });

  it('says why a credential plugin is not run', () => {
    const imports = "import { runExecPlugin } from '#src/cluster/exec-plugin.ts';";
    const script = `
      const plugin = { command: 'login', args: [], env: {}, apiVersion: 'client.authentication.k8s.io/v1' };
      console.log(await runExecPlugin(plugin, { server: '' }).catch(({ message }) => message));`;
    expect(printed(imports, script)).to.equal('spawn login EMFILE\n');
  });
});
