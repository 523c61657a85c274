import { describeKernel } from '../contract/kernel-suite.ts';
import { LinuxFixture } from './linux-fixture.ts';
import { describeOnKernel } from './namespace.ts';

describeOnKernel('on the kernel of this host', () => {
  describeKernel('LinuxKernel', LinuxFixture.make);
});
