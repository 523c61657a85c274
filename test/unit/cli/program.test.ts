import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Failure, Stopped } from '../../../src/cli/cli.ts';
import { ending } from '../../../src/cli/ending.ts';
import { KernelError } from '../../../src/kernel/kernel.ts';
import { run } from './world.ts';

describe('a wrong command line', () => {
  const cases: readonly { words: readonly string[]; stderr: string }[] = [
    {
      words: ['confg'],
      stderr: 'eiproute: unknown command \'confg\' (Did you mean config?); see "eiproute --help"\n',
    },
    {
      words: ['config', 'chek'],
      stderr: 'eiproute: unknown command \'chek\' (Did you mean check?); see "eiproute config --help"\n',
    },
    {
      words: ['version', '--jsno'],
      stderr: 'eiproute: unknown option \'--jsno\' (Did you mean --json?); see "eiproute version --help"\n',
    },
    {
      words: ['--config'],
      stderr: 'eiproute: option \'--config <file>\' argument missing; see "eiproute --help"\n',
    },
    {
      words: ['--log-level', 'loud', 'version'],
      stderr:
        "eiproute: option '--log-level <level>' argument 'loud' is invalid. Allowed choices are debug, info, warn, error; see \"eiproute --help\"\n",
    },
    {
      words: ['version', 'now'],
      stderr:
        'eiproute: too many arguments for \'version\'. Expected 0 arguments but got 1: now; see "eiproute version --help"\n',
    },
  ];
  for (const { words, stderr } of cases) {
    it(`"${words.join(' ')}" ends with 64 and one line`, async () => {
      expect(await run(words)).to.deep.equal({ code: 64, stdout: '', stderr });
    });
  }

  it('without a command shows the help on stderr', async () => {
    const { code, stdout, stderr } = await run([]);
    expect([code, stdout]).to.deep.equal([64, '']);
    expect(stderr).to.match(/^Usage: eiproute /);
  });
});

describe('help', () => {
  it('is on stdout when asked for', async () => {
    const { code, stdout, stderr } = await run(['config', '--help']);
    expect([code, stderr]).to.deep.equal([0, '']);
    expect(stdout).to.include('check [options]');
  });

  it('of a command has the options that all commands take', async () => {
    const { stdout } = await run(['config', 'check', '--help']);
    expect(stdout)
      .to.include('--role <role>')
      .and.to.include('--config <file>')
      .and.to.include('--log-level');
  });
});

describe('an error that nobody caught', () => {
  const calm = new AbortController().signal;

  it('is one line and exit 1 when the world is to blame', () => {
    const cause = new Error('connect\n EACCES');
    expect(ending(new Failure('cannot reach /run/x; is the daemon up?', { cause }), calm)).to.deep.equal({
      code: 1,
      text: 'eiproute: cannot reach /run/x; is the daemon up?: connect EACCES\n',
    });
    expect(ending(new KernelError('EPERM', 'no rights'), calm)).to.deep.equal({
      code: 1,
      text: 'eiproute: EPERM: no rights\n',
    });
    const errno = Object.assign(new Error('ENOENT: no such file, open /x'), {
      code: 'ENOENT',
      syscall: 'open',
    });
    expect(ending(errno, calm).text).to.equal('eiproute: ENOENT: no such file, open /x\n');
  });

  it('is a stack and exit 70 when we are', () => {
    for (const error of [
      new TypeError('x is undefined'),
      Object.assign(new Error('x'), { code: 'ERR_INVALID_ARG' }),
    ]) {
      const { code, text } = ending(error, calm);
      expect(code).to.equal(70);
      expect(text).to.match(/^eiproute: this is a bug, .*\n.*\n {4}at /);
    }
    expect(ending('thrown text', calm)).to.include({ code: 70 });
  });

  it('is silent when we were told to stop', () => {
    const abort = Object.assign(new Error('The operation was aborted'), { name: 'AbortError' });
    for (const [by, code] of [
      ['SIGINT', 130],
      ['SIGTERM', 143],
    ] as const) {
      const signal = AbortSignal.abort(new Stopped(by));
      expect(ending(abort, signal)).to.deep.equal({ code, text: '' });
      expect(ending(signal.reason, signal)).to.deep.equal({ code, text: '' });
      expect(ending(new TypeError('x'), signal).code).to.equal(70);
    }
    expect(ending(abort, calm).code).to.equal(70);
  });
});

describe('a command about what only a gateway has', () => {
  for (const [word, what] of [
    ['pools', 'pools'],
    ['release', 'held deletes'],
    ['drain', 'announcements'],
    ['undrain', 'announcements'],
    ['bird', 'announcements'],
    ['frr', 'announcements'],
  ] as const) {
    it(`${word} says of a node's file whose it is`, async () => {
      const folder = mkdtempSync(join(tmpdir(), 'eiproute-node-'));
      const file = join(folder, 'node.yaml');
      writeFileSync(file, 'eips: [198.51.100.0/24]\ngateways: [10.0.0.1]\n');
      const { code, stdout, stderr } = await run([word, '--config', file]);
      rmSync(folder, { recursive: true });
      expect([code, stdout]).to.deep.equal([1, '']);
      expect(stderr).to.equal(
        `eiproute: ${file} is the configuration of a node; ${what} belong to the gateway: ask there, or name its file with --config\n`,
      );
    });
  }
});
