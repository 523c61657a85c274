import { expect } from 'chai';
import fc from 'fast-check';
import { PathHistory } from '../../../src/daemon/path-history.ts';
import type { Path } from '../../../src/desire/path.ts';
import { parseIp } from '../../../src/model/ip.ts';

const eips = [10, 11, 12, 13, 14].map((last) => parseIp(`198.51.100.${last}`));
const anyPath: fc.Arbitrary<Path> = fc
  .record({ eip: fc.constantFrom(...eips), nodes: fc.subarray(['n1', 'n2'], { minLength: 1 }) })
  .map(({ eip, nodes }) => ({
    eip,
    services: ['default/web'],
    carriers: nodes.map((node) => ({ node, ip: parseIp('10.0.0.1'), weight: 1 })),
  }));
const anyPaths = fc.uniqueArray(anyPath, { selector: ({ eip }) => eip });
const nodes = (path: Path | undefined): string | undefined =>
  path?.carriers.map(({ node }) => node).join(' ');

describe('the history of paths', () => {
  it('knows before and now of every EIP, and which have moved, whatever was kept, changed or reordered', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(anyPaths, fc.boolean()), { minLength: 2, maxLength: 6 }), (rounds) => {
        const history = new PathHistory();
        let last: readonly Path[] = [];
        for (const [fresh, keep] of rounds) {
          // As in life: what has not changed is the very same object.
          const paths = fresh.map((path) => (keep && last.find(({ eip }) => eip === path.eip)) || path);
          const step = history.next(paths);
          const moved: string[] = [];
          for (const eip of eips) {
            const before = last.find((path) => path.eip === eip);
            const now = paths.find((path) => path.eip === eip);
            expect(step.before(eip), `before ${eip}`).to.equal(before);
            expect(step.now(eip), `now ${eip}`).to.equal(now);
            if (before && now && nodes(before) !== nodes(now)) moved.push(eip);
          }
          expect(step.moved.map(({ eip }) => eip).sort()).to.deep.equal(moved.sort());
          last = paths;
        }
      }),
    );
  });
});
