import { describeKernel } from '../contract/kernel-suite.ts';
import { LinuxBench } from './linux-bench.ts';
import { describeOnKernel } from './namespace.ts';

describeOnKernel('on the kernel of this host', () => {
  describeKernel('LinuxKernel', LinuxBench.make);
});
