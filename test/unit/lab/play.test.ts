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
