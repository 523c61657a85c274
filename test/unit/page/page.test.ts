import { expect } from 'chai';
import { readPage } from '../../../src/page/page.ts';

describe('the live page', () => {
  const { html, headers } = readPage();

  it('has one style and one script, which its policy names, and loads nothing', () => {
    const policy = headers['content-security-policy'] ?? '';
    expect(policy).to.match(/^default-src 'none'; style-src 'sha256-\S+'; script-src 'sha256-\S+'; /);
    expect(policy).not.to.include('unsafe');
    expect(html.match(/https?:\/\/(?!www\.w3\.org\/2000\/svg)[^'"\s]+/g)).to.equal(null);
    expect(html.match(/\b(?:src|href)="(?!data:,)[^"]*"/g)).to.equal(null);
    // An attribute would not be run, and its author would not notice.
    expect(html.match(/\s(?:style|on[a-z]+)="/g)).to.equal(null);
  });

  it('writes nothing as HTML', () => {
    expect(html).not.to.match(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(/);
  });
});
