import { expect } from 'chai';
import { program } from '../../lab/eiproute/daemon-process.ts';
import { Eiproute } from '../../lab/eiproute/eiproute.ts';
import { embedded, openLab } from '../../lab/lab.ts';
import { removeLeftovers } from '../../lab/network/lab-run.ts';
import { eip } from '../../lab/network/map.ts';
import { outcome, within } from '../../lab/process/run.ts';
import { layServices } from '../../lab/reach/reach-table.ts';
import type { Trace } from '../../src/explain/trace.ts';
import { late } from '../patience.ts';
import { needRoot } from './root.ts';

// Real packets to pods behind a kube-proxy; the nodes' default route leads past the gateway.
for (const nodes of ['static', 'none'] as const) {
  describe(`eiproute trace --probe, node agents: ${nodes}`, () => {
    let stack: AsyncDisposableStack;
    let namespace = '';
    let config = '';

    before(async function () {
      needRoot(this);
      stack = new AsyncDisposableStack();
      await removeLeftovers();
      const lab = stack.use(await openLab({ nodes: 3, nodeRouting: 'by agents' }, embedded));
      const eiproute = stack.use(
        await Eiproute.start(lab.network, lab.cluster, { lines: 'allocate: true' }, nodes),
      );
      await eiproute.synced(late());
      stack.use(await layServices(lab));
      namespace = lab.network.namespace('gateway');
      config = eiproute.files.config;
    });
    after(async () => {
      await stack?.disposeAsync();
    });

    /** The last two steps, and the exit code. */
    async function probed(target: string): Promise<string> {
      const argv = within(namespace, [program, 'trace', '--config', config, '--json', '--probe', target]);
      const { status, out, err } = await outcome({ argv });
      if (out === '') throw new Error(err);
      const { traces }: { traces: readonly Trace[] } = JSON.parse(out);
      const steps = traces.flatMap((one) => one.steps.slice(-2));
      return `${status}: ${steps.map(({ name, state }) => `${name} ${state}`).join(', ')}`;
    }

    for (const { v4, v6 } of [eip(1), eip(2)]) {
      for (const ip of [v4, v6]) {
        it(`${nodes === 'none' ? 'finds that replies do not come back from' : 'reaches'} ${ip}`, async () => {
          expect(await probed(ip)).to.equal(
            nodes === 'none' ? '1: return path FAIL, probe ok' : '0: return path ok, probe ok',
          );
        });
      }
    }
  });
}
