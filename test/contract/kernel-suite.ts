import { describeHints } from './hints-suite.ts';
import type { MakeKernelFixture } from './kernel-fixture.ts';
import { describeLosses } from './losses-suite.ts';
import { describeNat } from './nat-suite.ts';
import { describeNeighbours } from './neighbours-suite.ts';
import { describeNft } from './nft-suite.ts';
import { describeObjects } from './objects-suite.ts';
import { describeOwnership } from './ownership-suite.ts';
import { describeRefusals } from './refusals-suite.ts';
import { describeSysctls } from './sysctls-suite.ts';

/** What every kernel behind the port does, so that what is tried on the memory one holds for Linux. */
export function describeKernel(name: string, make: MakeKernelFixture): void {
  describe(name, () => {
    describeObjects(make);
    describeRefusals(make);
    describeOwnership(make);
    describeLosses(make);
    describeSysctls(make);
    describeHints(make);
    describeNft(make);
    describeNat(make);
    describeNeighbours(make);
  });
}
