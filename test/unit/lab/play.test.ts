import { stripVTControlCharacters } from 'node:util';
import { expect } from 'chai';
import { duration, Page } from '../../../lab/demo/page.ts';
import { playScene } from '../../../lab/demo/play.ts';
import type { Scene } from '../../../lab/demo/stage.ts';

describe('playScene', () => {
  it('gives what the scene measured', async () => {
    const { result } = await play(async () => ({ lost: 0 }));
    expect(result).to.include({ id: 'x', ok: true, trouble: undefined });
    expect(result.figures).to.deep.equal({ lost: 0 });
  });

  it('shows a failure, and goes on', async () => {
    const { result, text } = await play(() => Promise.reject(new Error('3 requests lost')));
    expect(result).to.include({ ok: false, trouble: '3 requests lost' });
    expect(text).to.contain('✘ 3 requests lost');
  });

  it('fails a scene that never ends', async () => {
    const { result } = await play(
      (_stage, signal) =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason));
        }),
      new AbortController().signal,
      5,
    );
    expect(result.trouble).to.match(/^not seen within 5\.0 ms/);
  });

  it('is no failure when the demo is stopped', async () => {
    const stop = new AbortController();
    const reason = new Error('stopped');
    const playing = play(async () => {
      stop.abort(reason);
      throw new Error('torn down');
    }, stop.signal);
    expect(
      await playing.then(
        () => undefined,
        (error: unknown) => error,
      ),
    ).to.equal(reason);
  });
});

describe('Page', () => {
  it('has no colour unless it is wanted', () => {
    expect(text(false, (page) => page.good('yes'))).to.equal('   ✔ yes\n');
    expect(text(true, (page) => page.good('yes'))).to.equal('   \u001b[32m✔\u001b[39m yes\n');
  });

  it('aligns the columns of a table', () => {
    const table = [
      ['', 'here'],
      ['a long name', '1 ms'],
    ];
    expect(text(false, (page) => page.table(table))).to.equal(
      '                 here\n   a long name   1 ms\n',
    );
  });

  it('breaks a sentence at blanks, so that it fits 80 columns, under its own beginning', () => {
    const sentence = 'twelve chars '.repeat(12).trim();
    for (const colour of [false, true]) {
      const said = stripVTControlCharacters(
        text(colour, (page) => {
          page.said('gateway', `${sentence}   +36 ms`);
          page.good(sentence);
          page.bad(`${sentence}\n${sentence}`);
        }),
      );
      const lines = said.trimEnd().split('\n');
      expect(Math.max(...lines.map(({ length }) => length))).to.be.within(70, 80);
      expect(lines.filter((line) => line.startsWith('   gateway  twelve'))).to.have.length(1);
      expect(lines.filter((line) => line.startsWith(`${' '.repeat(12)}twelve`))).to.have.length(2);
      expect(lines.filter((line) => line.startsWith('     twelve'))).to.have.length.above(2);
      const words = said.replace(/^ {3}(gateway|✔|✘)/gm, '').match(/\S+/g);
      expect(words?.join(' ')).to.equal(`${sentence} +36 ms ${sentence} ${sentence} ${sentence}`);
    }
  });

  it('keeps a command in one line, and a word whole', () => {
    const command = 'ip -n eip-abcd-switch '.repeat(5).trim();
    expect(text(false, (page) => page.command('lab', command))).to.equal(`   lab      $ ${command}\n`);
    const word = 'x'.repeat(90);
    expect(text(false, (page) => page.good(`a ${word} b`))).to.equal(`   ✔ a\n     ${word}\n     b\n`);
  });

  it('breaks the last column of a table alone', () => {
    const table = [
      ['', 'here', 'others'],
      ['a name', '1 ms', 'a long story '.repeat(9).trim()],
    ];
    const lines = text(false, (page) => page.table(table)).split('\n');
    expect(Math.max(...lines.map(({ length }) => length))).to.be.within(70, 80);
    expect(lines[1]).to.match(/^ {3}a name {3}1 ms {3}a long story /);
    expect(lines[2]).to.match(/^ {19}(a|long|story) /);
  });

  it('prints times in a readable unit', () => {
    expect([0.04, 9.9, 9.96, 999.4, 999.6].map(duration)).to.deep.equal([
      '0.0 ms',
      '9.9 ms',
      '10 ms',
      '999 ms',
      '1.00 s',
    ]);
  });
});

async function play(
  act: Scene<{ page: Page }>['play'],
  signal = new AbortController().signal,
  bound?: number,
): Promise<{ result: Awaited<ReturnType<typeof playScene>>; text: string }> {
  let said = '';
  const page = new Page((part) => {
    said += part;
  }, false);
  const result = await playScene({ id: 'x', title: 'X', play: act }, 1, { page }, signal, bound);
  return { result, text: said };
}

function text(colour: boolean, print: (page: Page) => void): string {
  let said = '';
  print(
    new Page((part) => {
      said += part;
    }, colour),
  );
  return said;
}
