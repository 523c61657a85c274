import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { expect } from 'chai';
import type { Cli } from '../../../src/cli/cli.ts';
import { isAgreed, terminalOf } from '../../../src/cli/terminal.ts';

function world(typed: string | undefined): { readonly cli: Cli; readonly shown: () => string } {
  const input = new PassThrough();
  const output = new PassThrough();
  if (typed !== undefined) input.end(typed);
  const cli: Cli = {
    env: {},
    cwd: '/',
    signal: new AbortController().signal,
    terminal: typed === undefined ? undefined : terminalOf(input, output),
    stdout: { write: () => true },
    stderr: { write: () => true },
  };
  return { cli, shown: () => String(output.read() ?? '') };
}

describe('isAgreed', () => {
  const cases: Readonly<Record<string, boolean>> = {
    'yes\n': true,
    ' yes \n': true,
    'y\n': false,
    'YES\n': false,
    '\n': false,
    '': false,
  };
  for (const [typed, agreed] of Object.entries(cases)) {
    it(`takes ${JSON.stringify(typed)} for ${agreed ? 'yes' : 'no'}`, async () => {
      const { cli, shown } = world(typed);
      expect(await isAgreed(cli, 'purge', 'Go on?')).to.equal(agreed);
      expect(shown()).to.equal('Go on? Only "yes" is accepted: ');
    });
  }

  it('refuses where nobody can be asked, and says what it would have done', async () => {
    const { cli } = world(undefined);
    const error = await isAgreed(cli, 'purge deletes 3 objects', 'Go on?').catch((one: unknown) => one);
    expect(String(error)).to.equal(
      'Failure: purge deletes 3 objects, and stdin is no terminal to ask on: say --yes if that is meant',
    );
  });
});

describe('terminalOf', () => {
  it('ends with the signal', async () => {
    const stop = new AbortController();
    const output = new PassThrough();
    const asked = terminalOf(new PassThrough(), output).question('?', stop.signal);
    await once(output, 'data');
    stop.abort(new Error('stopped'));
    expect(String(await asked.catch((error: unknown) => error))).to.equal('Error: stopped');
  });

  it('does not ask once the signal is aborted', async () => {
    const output = new PassThrough();
    const asked = terminalOf(new PassThrough(), output).question(
      '?',
      AbortSignal.abort(new Error('stopped')),
    );
    expect(String(await asked.catch((error: unknown) => error))).to.equal('Error: stopped');
    expect(output.read()).to.equal(null);
  });
});
