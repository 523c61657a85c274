import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import fc from 'fast-check';
import { printable, printableJson, quoted, shellComment, shellWord } from '../../../src/model/text.ts';

/** What a terminal may act on or hide: C0, DEL, C1, bidirectional and other format characters, separators. */
const hostile = fc.constantFrom(
  ...['\n', '\r', '\t', '\0', '\u001b', '\u007f', '\u009b', '\u00ad', '\u200b', '\u200f', '\u2028'],
  ...['\u202e', '\u2066', '\ufeff', '\u{e0041}', '\ud800', "'", '"', '\\', '$(x)', '`x`', ';', '#', '!', ' '],
);
const anyText = fc
  .array(fc.oneof(hostile, fc.string({ maxLength: 4 }), fc.constant('é漢')), { maxLength: 12 })
  .map((parts) => parts.join(''));
const seen = /^[^\p{C}\p{Zl}\p{Zp}]*$/u;

describe('printable', () => {
  it('shows what it hides from the terminal', () => {
    expect(printable('a\nb\u001b[31m\u202eé\u{e0041}')).to.equal('a\\nb\\u001b[31m\\u202eé\\udb40\\udc41');
  });

  it('cuts what is too long, and says how long it was', () => {
    expect(printable('x'.repeat(200_034), 10)).to.equal('xxxxxxxxxx... (200034 characters)');
    expect(printable('x'.repeat(10), 10)).to.equal('xxxxxxxxxx');
  });

  it('lets no character through that a terminal acts on', () => {
    fc.assert(fc.property(anyText, (text) => seen.test(printable(text)) && seen.test(quoted(text))));
  });
});

describe('quoted', () => {
  it('marks where the foreign word begins and ends', () => {
    expect(quoted('a"b')).to.equal('"a\\"b"');
    expect(quoted('x'.repeat(61))).to.equal(`"${'x'.repeat(57)}..."`);
  });
});

describe('printableJson', () => {
  it('means the same to a parser, and is safe on a terminal', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const json = printableJson({ text, list: [text] });
        expect(JSON.parse(json)).to.deep.equal({ text, list: [text] });
        for (const line of json.split('\n')) expect(line).to.match(seen);
      }),
    );
  });
});

describe('shellWord', () => {
  it('leaves alone what needs no quotes', () => {
    expect(['eth0', 'net.ipv4.conf.eth0/100.rp_filter', '198.51.100.0/24'].map(shellWord)).to.deep.equal([
      'eth0',
      'net.ipv4.conf.eth0/100.rp_filter',
      '198.51.100.0/24',
    ]);
    expect(shellWord("it's")).to.equal(`'it'\\''s'`);
  });

  it('is to a shell just the text that it stands for, and shows nothing else', () => {
    // A shell holds no NUL, drops the line breaks at the end, and has no lone surrogates.
    const words = anyText.filter((text) => text.isWellFormed() && !/\0|\n$/.test(text));
    fc.assert(
      fc.property(fc.array(words, { minLength: 1, maxLength: 8 }), (texts) => {
        const line = texts.map(shellWord).join(' ');
        expect(line).to.match(seen);
        const out = execFileSync('sh', ['-c', `printf '%s\\0' ${line}`], { encoding: 'utf8' });
        expect(out.split('\0').slice(0, -1)).to.deep.equal(texts);
      }),
      { numRuns: 40 },
    );
  });
});

describe('shellComment', () => {
  it('reads as it is where it is harmless', () => {
    expect(shellComment('Service default/web, other/api')).to.equal('# Service default/web, other/api');
  });

  it('runs nothing, in a shell that knows comments and in one to which # is a word', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const comment = shellComment(text);
        expect(comment).to.match(seen);
        expect(
          execFileSync('sh', ['-c', `printf one  ${comment}\nprintf two`], { encoding: 'utf8' }),
        ).to.equal('onetwo');
        // As zsh reads a line that is typed: everything from # on is words.
        const words = `set -f; set -- \\${comment}; printf done`;
        expect(execFileSync('sh', ['-c', words], { encoding: 'utf8' })).to.equal('done');
      }),
      { numRuns: 40 },
    );
  });
});
