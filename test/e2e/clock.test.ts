import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import type { GatewayDaemon } from './gateway-daemon.ts';
import { GatewayHost, serviceOn } from './gateway-host.ts';
import { needRoot } from './root.ts';

/** A daemon whose machine sets its clock by so many ms at SIGUSR2: a namespace cannot have a time of day of its own. */
async function stepping(host: GatewayHost, ms: number): Promise<GatewayDaemon> {
  const module = join(host.folder, 'step.mjs');
  await writeFile(
    module,
    `const real = Date.now; let set = 0; Date.now = () => real() + set; process.on('SIGUSR2', () => { set = ${ms}; });\n`,
  );
  const [first = '', ...rest] = host.argv('gateway');
  return host.launch(['env', `NODE_OPTIONS=--import=${module}`, first, ...rest]);
}

const hour = 3_600_000;

describe('a clock that is set', () => {
  before(function () {
    needRoot(this);
  });

  for (const [how, ms] of [
    ['back by an hour', -hour],
    ['on by an hour', hour],
  ] as const)
    it(`${how} ends nothing: what was heard then was heard just now`, async () => {
      await using host = await GatewayHost.make();
      const daemon = await stepping(host, ms);
      await host.synced(daemon);
      daemon.signal('SIGUSR2');
      host.put(...serviceOn('late', ['198.51.100.77']));
      await daemon.says(/eip-routed.*198\.51\.100\.77/);
      const { state, now, feeds } = await host.status();
      expect(state).to.equal('OK');
      for (const { heard = '' } of feeds) {
        const ago = Date.parse(now) - Date.parse(heard);
        expect(ago, `${now} ${heard}`).to.be.within(0, hour / 2);
      }
    });
});
