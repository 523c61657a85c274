import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'chai';

/** MB of the old space, after objects were made and while they change a little everywhere, as events change them. */
interface Sizes {
  readonly used: number;
  readonly most: number;
}

function sizes(prepare: string, changes: number): Sizes {
  const script = `
    import { getHeapSpaceStatistics } from 'node:v8';
    import { setImmediate as turn } from 'node:timers/promises';
    import { keepHeapSmall } from ${JSON.stringify(pathToFileURL(resolve('src/daemon/heap.ts')).href)};
    const old = () => getHeapSpaceStatistics().find(({ space_name }) => space_name === 'old_space');
    const count = 150_000;
    const make = (i) => ({ i, text: 'text ' + i, list: [i, i + 1] });
    const objects = Array.from({ length: count }, (_, i) => make(i));
    ${prepare}
    const { space_used_size: used } = old();
    let most = 0;
    for (let i = 0; i < ${changes}; i += 1) {
      objects[(i * 7919) % count] = make(i);
      if (i % 10_000 !== 0) continue;
      await turn();
      most = Math.max(most, old().space_size);
    }
    process.stdout.write(JSON.stringify({ used: used / 1e6, most: most / 1e6 }));
  `;
  const options = ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=4'];
  return JSON.parse(
    execFileSync(process.execPath, [...options, '--input-type=module', '-e', script]).toString(),
  );
}

describe('the heap of a gateway', () => {
  it('stays small while events change what is kept', () => {
    const { used, most } = sizes('await keepHeapSmall();', 1_000_000);
    expect(most).to.be.lessThan(2 * used);
    const left = sizes('', 1_000_000);
    expect(left.most, 'as V8 has it').to.be.greaterThan(2 * left.used);
  });

  it('is collected when the lists are in', () => {
    const garbage = 'for (let i = 0; i < 4 * count; i += 1) objects[i % count] = make(i);';
    const { used } = sizes(`${garbage} await keepHeapSmall();`, 0);
    expect(used).to.be.lessThan(0.7 * sizes(garbage, 0).used);
  });
});
