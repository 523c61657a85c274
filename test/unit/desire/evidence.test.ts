import { expect } from 'chai';
import { candidates } from '../../../src/desire/carriers.ts';
import { Departures, goByEndpoints, lackEndpoints } from '../../../src/desire/evidence.ts';
import { parseIp } from '../../../src/model/ip.ts';
import { endpoint, node, service, threeNodes } from '../../scene.ts';

describe('departures', () => {
  const eip = parseIp('198.51.100.10');
  const ip = parseIp('10.0.0.11');

  it('know nothing of an EIP that went before they began', () => {
    expect(new Departures().isEipTaken(eip)).to.equal(false);
  });

  for (const [origins, isTaken] of [
    [['event'], true],
    [['list'], false],
    [['event', 'list'], false],
    [['list', 'event'], false],
  ] as const) {
    it(`take an EIP for ${isTaken ? 'taken away' : 'missing'} whose Services went by ${origins.join(' and ')}`, () => {
      const departures = new Departures();
      for (const origin of origins) departures.eipLost(eip, origin);
      expect(departures.isEipTaken(eip)).to.equal(isTaken);
    });
  }

  it('begin anew with an EIP that a Service names again', () => {
    const departures = new Departures();
    departures.eipLost(eip, 'list');
    departures.eipNamed(eip);
    departures.eipLost(eip, 'event');
    expect(departures.isEipTaken(eip)).to.equal(true);
    departures.eipNamed(eip);
    expect(departures.isEipTaken(eip)).to.equal(false);
  });

  it('know a node that went by an event until it is back', () => {
    const departures = new Departures();
    departures.nodeLost(ip, 'list');
    expect(departures.isNodeTaken(ip)).to.equal(false);
    departures.nodeLost(ip, 'event');
    expect(departures.isNodeTaken(ip)).to.equal(true);
    departures.nodeNamed(ip);
    expect(departures.isNodeTaken(ip)).to.equal(false);
  });

  it('forget what the kernel has no more, and nothing else', () => {
    const departures = new Departures();
    departures.eipLost(eip, 'event');
    departures.nodeLost(ip, 'event');
    departures.forget(
      () => true,
      () => new Set([ip]),
    );
    expect([departures.isEipTaken(eip), departures.isNodeTaken(ip)]).to.deep.equal([true, true]);
    departures.forget(
      () => false,
      () => new Set(),
    );
    expect([departures.isEipTaken(eip), departures.isNodeTaken(ip)]).to.deep.equal([false, false]);
  });
});

describe('what the endpoints say', () => {
  const local = { externalTrafficPolicy: 'Local' } as const;
  const nodes = candidates(threeNodes);
  const idle = service('idle', [], { endpoints: [endpoint('n1', { ready: false, serving: false })] });
  const onN1 = service('web', [], local);

  it('is that an EIP has none, when all its Services are there with all their slices', () => {
    expect(lackEndpoints([idle], nodes, 4)).to.equal(true);
    expect(lackEndpoints([], nodes, 4)).to.equal(false);
    expect(lackEndpoints([idle, onN1], nodes, 4)).to.equal(false);
    expect(lackEndpoints([{ ...idle, slicesKnown: false }], nodes, 4)).to.equal(false);
  });

  it('is that an EIP has none, when they are on nodes that are there and left out', () => {
    const marked = candidates([...threeNodes, node('n4', ['10.0.0.14'], { excludeLabel: 'true' })]);
    const onN4 = { endpoints: [endpoint('n4')] };
    const moved = service('web', [], { ...local, ...onN4 });
    expect(lackEndpoints([moved], marked, 4)).to.equal(true);
    expect(goByEndpoints([moved], marked, 4)).to.equal(true);
    expect(lackEndpoints([moved, onN1], marked, 4), 'the other Service').to.equal(false);
    expect(lackEndpoints([service('web', [], onN4)], marked, 4), 'under Cluster').to.equal(false);
    expect(lackEndpoints([moved], nodes, 4), 'a node that is not there').to.equal(false);
  });

  it('is where a Local EIP goes, when they are on nodes that are there, and all slices are known', () => {
    expect(goByEndpoints([onN1], nodes, 4)).to.equal(true);
    expect(goByEndpoints([service('web', [])], nodes, 4)).to.equal(false);
    expect(goByEndpoints([service('web', [], { ...local, endpoints: [endpoint('n9')] })], nodes, 4)).to.equal(
      false,
    );
    expect(goByEndpoints([{ ...onN1, slicesKnown: false }], nodes, 4)).to.equal(false);
  });
});
