import { MemorySegment, Wire } from '../../lab/fake/memory-segment.ts';
import { segmentSuite } from './segment-suite.ts';

describe('the segment port in memory', () => {
  segmentSuite(async () => {
    const wire = new Wire();
    const here = new MemorySegment(wire, '02:00:5e:00:53:01');
    const there = new MemorySegment(wire, '02:00:5e:00:53:02');
    return {
      here,
      hereLink: 2,
      hereMac: '02:00:5e:00:53:01',
      there,
      thereLink: 3,
      async [Symbol.asyncDispose]() {
        await here[Symbol.asyncDispose]();
        await there[Symbol.asyncDispose]();
      },
    };
  });
});
