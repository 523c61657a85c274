import { globSync, readFileSync } from 'node:fs';
import { expect } from 'chai';
import { type ProblemCode, problemCodes } from '../../../src/model/problem.ts';
import type { NeedCode } from '../../../src/status/need.ts';
import { namesIn, pageTable } from '../../page-table.ts';

/** The compiler asks for each. */
const ofStatus: Readonly<Record<Exclude<NeedCode, ProblemCode>, true>> = {
  api: true,
  conflict: true,
  dark: true,
  file: true,
  held: true,
  kernel: true,
  missing: true,
  refused: true,
  waits: true,
};

const sources = globSync('src/**/*.ts')
  .filter((path) => path !== 'src/model/problem.ts')
  .map((path) => readFileSync(path, 'utf8'));

function codes(rows: readonly (readonly string[])[]): readonly string[] {
  return rows.map(([code]) => namesIn(code).join(' '));
}

describe('docs/problems.md', () => {
  const problems = pageTable('docs/problems.md', 'problems');
  const needs = pageTable('docs/problems.md', 'needs');

  it('has a row for every code of a problem, and no other', () => {
    expect(codes(problems)).to.deep.equal(problemCodes);
  });

  it('has a row for every further code of status, and no other', () => {
    expect(codes(needs)).to.deep.equal(Object.keys(ofStatus));
  });

  it('says of each how bad it is, what it means and what to do', () => {
    for (const [code = '', severity, meaning, advice, ...rest] of [...problems, ...needs]) {
      expect(severity, code).to.be.oneOf(['warn', 'error', 'warn, error']);
      expect(meaning, code).to.match(/\w+ \w+/);
      expect(advice, code).to.match(/\w/);
      expect(rest, code).to.deep.equal([]);
    }
  });

  it('has the severities that stand beside the codes in the source', () => {
    const documented = new Map(
      [...problems, ...needs].map(([code, severity = '']) => [namesIn(code)[0], severity.split(', ')]),
    );
    const beside = sources.flatMap((text) => [
      ...text.matchAll(/\bcode: '([a-z0-9-]+)'(?: as const)?,\s+severity: '(warn|error)'/g),
    ]);
    expect(beside.length).to.be.greaterThan(60);
    for (const [, code, severity] of beside) expect(documented.get(code), code).to.include(severity);
  });
});

describe('the codes of problems', () => {
  it('are in alphabetical order, each once', () => {
    expect(problemCodes).to.deep.equal([...new Set(problemCodes)].sort());
  });

  it('are each written out where a problem is made', () => {
    // A comparison makes none.
    const isMade = (code: string): boolean =>
      sources.some((text) => new RegExp(`(?<![!=]== )'${code}'`).test(text));
    const unused = problemCodes.filter((code) => !isMade(code));
    expect(unused).to.deep.equal([]);
  });
});
