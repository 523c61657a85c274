import { expect } from 'chai';
import { ProbedNodes } from '../../../src/daemon/probed-nodes.ts';
import { parseIp } from '../../../src/model/ip.ts';
import type { Link } from '../../../src/model/object.ts';
import { gateway, node } from '../../scene.ts';

const settings = gateway();
const n1 = node('n1', ['10.0.0.11']);
const n2 = node('n2', ['10.0.0.12']);

function lan(index = 2, isUp = true): Link {
  const addresses = [{ ip: parseIp('10.0.0.1'), length: 24 }];
  return { index, name: settings.lan, up: isUp, carrier: isUp, addresses };
}

/** Nodes, and who follows them. */
class World {
  readonly told: string[] = [];
  links: readonly Link[] = [lan()];
  readonly nodes = new ProbedNodes({
    gateway: () => settings,
    links: () => this.links,
    followTargets: ({ lan: on, nodes }) =>
      this.told.push(`${nodes.map((one) => one.node).join(' ')} by ${on?.index}`),
    followProxies: (proxies) => this.told.push(`proxies ${proxies.map((one) => one.node).join(' ')}`),
  });

  /** @returns what was told since the last call */
  take(): readonly string[] {
    return this.told.splice(0);
  }
}

describe('the nodes that are probed', () => {
  it('are asked before the first round, and later ones once their round is over', () => {
    const world = new World();
    const nodes = [n1];
    expect([...(world.nodes.read(nodes)?.byName.keys() ?? [])]).to.deep.equal(['n1']);
    expect(world.take()).to.deep.equal(['n1 by 2', 'proxies n1']);
    expect(world.nodes.read(nodes)).to.equal(undefined);
    world.nodes.read([n1, n2]);
    expect(world.nodes.addressOf('n2', 4)).to.equal('10.0.0.12');
    expect(world.take()).to.deep.equal([]);
    world.nodes.rounded();
    expect(world.take().slice(0, 2)).to.deep.equal(['n1 n2 by 2', 'proxies n1 n2']);
  });

  it('are followed anew when the LAN is another one, and not for another list of the same links', () => {
    const world = new World();
    world.nodes.read([n1]);
    world.nodes.rounded();
    world.take();
    world.links = [lan()];
    world.nodes.rounded();
    expect(world.take()).to.deep.equal([]);
    world.links = [lan(3)];
    world.nodes.rounded();
    expect(world.take()).to.deep.equal(['n1 by 3']);
    world.links = [lan(3, false)];
    world.nodes.rounded();
    expect(world.take()).to.deep.equal([' by undefined']);
  });
});
