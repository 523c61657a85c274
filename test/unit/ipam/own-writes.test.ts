import { expect } from 'chai';
import type { Task } from '../../../src/ipam/due.ts';
import { OwnWrites } from '../../../src/ipam/own-writes.ts';
import { service } from '../../scene.ts';

describe('our own writes to a Service', () => {
  const removal: Task = { kind: 'finalizer', verb: 'remove' };
  for (const [what, deleting, ips] of [
    ['leave it no address when its finalizer goes with it', true, []],
    ['leave its addresses when only the finalizer goes', false, ['198.51.100.10']],
  ] as const)
    it(what, () => {
      const writes = new OwnWrites();
      const web = service('web', ['198.51.100.10'], { deleting });
      writes.end(web, removal, undefined, { kind: 'done' }, writes.of(web));
      expect(writes.of(web)?.ips).to.deep.equal(ips);
    });
});
