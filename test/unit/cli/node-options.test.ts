import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { startScript } from '../../../package/tree.ts';

/** Prints the options and words that it is started with, one a line, and writes what the C library is told to a file. */
const node = `#!/bin/sh
env | grep '^MALLOC_' | sort > "\${0%/*}/malloc"
printf '%s\\n' "$@"
`;

describe('the options of Node', () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'eiproute-options-'));
    cpSync('bin', join(folder, 'bin'), { recursive: true });
    cpSync('bin/node-options.sh', join(folder, 'node-options.sh'));
    writeFileSync(join(folder, 'node'), node, { mode: 0o755 });
    writeFileSync(join(folder, 'package'), startScript(folder), { mode: 0o755 });
  });
  after(() => rmSync(folder, { recursive: true }));

  /** What comes before the program. */
  const options = (program: string, ...words: readonly string[]): string => optionsIn({}, program, ...words);

  const optionsIn = (
    more: Readonly<Record<string, string>>,
    program: string,
    ...words: readonly string[]
  ): string => {
    const env = { ...process.env, ...more, PATH: `${folder}:${process.env['PATH']}` };
    const lines = execFileSync(join(folder, program), words, { env, encoding: 'utf8' }).trim().split('\n');
    const at = lines.findIndex((line) => line.startsWith('/'));
    expect(lines.slice(at + 1)).to.deep.equal(words);
    return lines.slice(0, at).join(' ');
  };

  const malloc = (program: string, command: string): string => {
    options(program, command);
    return readFileSync(join(folder, 'malloc'), 'utf8');
  };

  for (const program of ['bin/eiproute', 'package']) {
    it(`of ${program} have glibc keep little of what the daemons free`, () => {
      expect(malloc(program, 'node')).to.equal(
        'MALLOC_MMAP_THRESHOLD_=65536\nMALLOC_TOP_PAD_=16384\nMALLOC_TRIM_THRESHOLD_=65536\n',
      );
      expect(malloc(program, 'gateway')).to.equal('MALLOC_ARENA_MAX=1\n');
      expect(malloc(program, 'status')).to.equal('');
    });

    it(`of ${program} keep the heap of the daemons small, and are V8's own for the other commands`, () => {
      const quiet = '--disable-warning=ExperimentalWarning --disable-sigusr1';
      const gateway = `${quiet} --use-openssl-ca --max-semi-space-size=4`;
      expect(options(program, 'gateway')).to.equal(gateway);
      expect(options(program, '--config', 'a b', 'gateway')).to.equal(gateway);
      expect(options(program, 'node', '--config', 'gateway')).to.equal(
        `${quiet} --use-openssl-ca --no-opt --no-maglev --no-sparkplug --optimize-for-size --max-semi-space-size=1 --invocation-count-for-feedback-allocation=1000`,
      );
      expect(options(program, 'status', '--json')).to.equal(quiet);
      expect(options(program)).to.equal(quiet);
    });
  }

  for (const env of [
    { NODE_OPTIONS: '--max-old-space-size=400 --use-system-ca' },
    { NODE_OPTIONS: '--use-bundled-ca' },
    { NODE_OPTIONS: '--use-openssl-ca' },
    { NODE_USE_SYSTEM_CA: '1' },
  ])
    it(`leave whom Node believes to ${Object.entries(env).join()}, beside which Node takes no other`, () => {
      expect(optionsIn(env, 'package', 'gateway')).to.not.include('-ca');
      const [name = ''] = Object.keys(env);
      expect(optionsIn({ [name]: '0' }, 'package', 'gateway')).to.include(' --use-openssl-ca');
    });

  it('come with the reason where too few files may be open for Node, which would say nothing', () => {
    const words = ['-c', 'ulimit -n "$0"; exec "$@"'];
    const started = (files: number) =>
      spawnSync('sh', [...words, String(files), join(folder, 'package'), 'status'], { encoding: 'utf8' });
    const { status, stderr } = started(16);
    expect(stderr).to.match(/^eiproute: no more than 16 files may be open here \(ulimit -n\), .*\n$/);
    expect(status).to.equal(1);
    expect(started(32)).to.include({ status: 0, stderr: '' });
  });

  it('catch no SIGUSR1, to let any user of the host debug us', () => {
    const quiet = options('package', 'status').split(' ');
    /** Whether a process has a handler of its own for the signal, which has the number 10. */
    const catches = (words: readonly string[]): boolean => {
      const print = "fs.readFileSync('/proc/self/status', 'utf8')";
      const status = execFileSync(process.execPath, [...words, '-p', print]).toString();
      const [, caught = ''] = /^SigCgt:\t(\w+)$/m.exec(status) ?? [];
      return (BigInt(`0x${caught}`) & (1n << 9n)) !== 0n;
    };
    expect(catches([])).to.equal(true);
    expect(catches(quiet)).to.equal(false);
  });

  it('are known to Node', () => {
    for (const command of ['gateway', 'node']) {
      const words = options('package', command).split(' ');
      execFileSync(process.execPath, [
        ...words,
        '-e',
        'new WebAssembly.Module(Buffer.from("0061736d01000000", "hex"))',
      ]);
    }
  });
});
