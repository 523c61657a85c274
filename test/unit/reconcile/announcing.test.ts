import { expect } from 'chai';
import { isAnnouncement } from '../../../src/model/object.ts';
import { gateway, Scene, service, snapshot, threeNodes } from '../../scene.ts';

const cluster = snapshot(threeNodes, [
  service('web', ['198.51.100.10', '2001:db8:e::10']),
  service('shop', ['198.51.100.11']),
]);

const settings = gateway({ announce: { table: 86, active: [] } });

function announced({ world }: Scene): readonly string[] {
  return [...world.objects.values()].flatMap((one) =>
    one.kind === 'route' && isAnnouncement(one) ? [one.dst] : [],
  );
}

describe('the announce table', () => {
  it('is empty without a LAN, although the kernel refuses something else meanwhile', async () => {
    const scene = new Scene(cluster, settings);
    await scene.round('link');
    expect(announced(scene)).to.have.length(3);
    scene.world.linkDown('eth0');
    scene.world.setSysctl('net/ipv4/ip_forward', '0');
    for (let i = 0; i < 5; i += 1)
      scene.kernel.failNext((change) => change.verb !== 'delete' && change.want.kind === 'sysctl', 'EROFS');
    const { failed } = await scene.round('link');
    expect(failed).not.to.deep.equal([]);
    expect(announced(scene)).to.deep.equal([]);
  });

  it('is complete after the first round of a start', async () => {
    const scene = new Scene(cluster, settings);
    const report = await scene.round('link');
    expect(announced(scene)).to.have.length(3);
    expect(report.again).to.equal(undefined);
  });

  for (const mode of ['routed', 'nat'] as const)
    it(`keeps all that a route stands on while the kernel refuses to withdraw its announcement, ${mode}`, async () => {
      const scene = new Scene(cluster, { ...settings, mode });
      await scene.round('link');
      const before = new Set(scene.world.objects.keys());
      scene.cluster = snapshot(threeNodes, []);
      scene.reconciler.agree();
      for (let i = 0; i < 3; i += 1)
        scene.kernel.failNext((change) => change.verb === 'delete' && isAnnouncement(change.have), 'EPERM');
      await scene.round();
      expect(announced(scene)).to.have.length(3);
      expect(before.difference(new Set(scene.world.objects.keys()))).to.deep.equal(new Set());
    });

  it('keeps what the guard holds, and gives it up with the route', async () => {
    const scene = new Scene(cluster, settings);
    await scene.round('link');
    scene.cluster = snapshot(threeNodes, []);
    const { held } = await scene.round();
    expect(held.filter(({ reason }) => reason === 'too many at once')).not.to.deep.equal([]);
    expect(announced(scene)).to.have.length(3);
    expect((await scene.round('link')).done).to.deep.equal([]);
    scene.now += 600_001;
    await scene.round();
    expect(announced(scene)).to.deep.equal([]);
  });
});
