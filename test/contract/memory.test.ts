import { describeKernel } from './kernel-suite.ts';
import { MemoryFixture } from './memory-fixture.ts';

describeKernel('MemoryKernel', async () => new MemoryFixture());
