import { describeKernel } from './kernel-suite.ts';
import { MemoryBench } from './memory-bench.ts';

describeKernel('MemoryKernel', async () => new MemoryBench());
