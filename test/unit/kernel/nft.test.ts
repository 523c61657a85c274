import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import { nftError } from '../../../src/kernel/nft.ts';
import { parseTable } from '../../../src/kernel/nft-listing.ts';
import { digestOf, inet, nftScript, nftTable } from '../../../src/model/nft.ts';

const rules = '\tchain input {\n\t\ttype filter hook input priority 150; policy accept;\n\t}\n';
const open = 'table inet t {\n\tcomment "eiproute protocol 86 digest abc123"\n';
const close = '}\n';
const written = digestOf(`${open}${rules}${close}`);

/** @param digest undefined: its writer was killed before it could seal */
function listed(body: string, digest: string | undefined): string {
  const seal = digest === undefined ? '' : `\n\tchain seal {\n\t\tcomment "${digest}"\n\t}\n`;
  return `${open}${body}${seal}${close}`;
}

describe('the digest of a table', () => {
  it('is what sha256sum prints of its text', () => {
    const text = 'tab\n\u00e9\n'.repeat(20_000);
    expect(digestOf(text)).to.equal(execFileSync('sha256sum', { input: text }).toString().slice(0, 16));
  });
});

describe('a listed nftables table', () => {
  it('has the digest that it was written with while nothing was touched', () => {
    const text = listed(rules, written);
    expect(parseTable(inet('t'), text)).to.include({ protocol: 86, digest: 'abc123' });
  });

  for (const [what, body, seal] of [
    ['a rule is gone', '', written],
    ['a rule is new', `${rules}\tchain other {\n\t}\n`, written],
    ['there is no seal', rules, undefined],
    ['the seal is another', rules, 'feed'],
  ] as const) {
    it(`has another when ${what}`, () => {
      expect(parseTable(inet('t'), listed(body, seal)).digest).to.match(/^touched /);
    });
  }

  it('is none of ours without our comment', () => {
    expect(parseTable(inet('t'), 'table inet t {\n}\n').protocol).to.equal(0);
    expect(parseTable(inet('t'), 'table inet t {\n\tcomment "mine"\n}\n').protocol).to.equal(0);
  });
});

describe('the words of nft', () => {
  for (const [text, code, says] of [
    [
      't.nft:1:19-26: Error: Could not process rule: File exists\ncreate table inet t {\n^^^\n',
      'EEXIST',
      'File exists',
    ],
    ['Error: No such file or directory\nlist table inet t\n', 'ENOENT', 'No such file or directory'],
    ['Operation not permitted (you must be root)\nnetlink: Error: cache', 'EPERM', 'Operation not permitted'],
    ['/dev/stdin:2:1-1: Error: syntax error, unexpected end of file\n', 'EINVAL', 'syntax error'],
    ['', 'EINVAL', 'nft'],
  ] as const) {
    it(`become ${code}: ${says}`, () => {
      const error = nftError(text);
      expect(error.code).to.equal(code);
      expect(error.message).to.include(says);
    });
  }
});

describe('the script for nft', () => {
  const table = nftTable(inet('t'), 86, 'chain a {\n}\n');

  it('never adds to a table that is there', () => {
    expect(nftScript({ verb: 'add', want: table })).to.match(
      /^create table inet t \{\n {2}comment "eiproute protocol 86 digest \w{16}"\n\}\ntable inet t \{\nchain a/,
    );
  });

  it('replaces in one transaction', () => {
    const script = nftScript({ verb: 'replace', have: table, want: table });
    expect(script).to.match(/^delete table inet t\ncreate table inet t /);
  });

  it('is only for tables', () => {
    const sysctl = { kind: 'sysctl', name: 'a', value: '1' } as const;
    expect(() => nftScript({ verb: 'add', want: sysctl })).to.throw(TypeError);
  });
});
