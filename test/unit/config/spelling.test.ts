import { expect } from 'chai';
import { meant } from '../../../src/config/spelling.ts';

describe('meant', () => {
  const near = ['lan', 'uplink', 'pools', 'protocol', 'defaultRoute', 'stateDirectory'];
  const far = ['log.level', 'source.file'];
  const cases: readonly (readonly [word: string, key: string | undefined])[] = [
    ['uplnik', 'uplink'],
    ['UPLINK', 'uplink'],
    ['pool', 'pools'],
    ['default_route', 'defaultRoute'],
    ['state-directory', 'stateDirectory'],
    ['protocoll', 'protocol'],
    ['lann', 'lan'],
    ['file', 'source.file'],
    ['logLevel', 'log.level'],
    ['wan', 'lan'],
    ['eth0', undefined],
    ['kubernetes', undefined],
    ['', undefined],
  ];
  for (const [word, key] of cases) {
    it(`makes ${key ?? 'nothing'} of "${word}"`, () => {
      expect(meant(word, near, far)).to.equal(key);
    });
  }
});
