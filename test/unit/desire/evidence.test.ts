import { expect } from 'chai';
import { candidates } from '../../../src/desire/carriers.ts';
import { Departures, goByEndpoints, lackEndpoints } from '../../../src/desire/evidence.ts';
import { parseIp } from '../../../src/model/ip.ts';
import { endpoint, service, threeNodes } from '../../scene.ts';

describe('departures', () => {
  const eip = parseIp('198.51.100.10');
  const node = parseIp('10.0.0.11');

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
    departures.nodeLost(node, 'list');
    expect(departures.isNodeTaken(node)).to.equal(false);
    departures.nodeLost(node, 'event');
    expect(departures.isNodeTaken(node)).to.equal(true);
    departures.nodeNamed(node);
    expect(departures.isNodeTaken(node)).to.equal(false);
  });

  it('forget what the kernel has no more, and nothing else', () => {
    const departures = new Departures();
    departures.eipLost(eip, 'event');
    departures.nodeLost(node, 'event');
    departures.forget(
      () => true,
      () => new Set([node]),
    );
    expect([departures.isEipTaken(eip), departures.isNodeTaken(node)]).to.deep.equal([true, true]);
    departures.forget(
      () => false,
      () => new Set(),
    );
    expect([departures.isEipTaken(eip), departures.isNodeTaken(node)]).to.deep.equal([false, false]);
  });
});

describe('what the endpoints say', () => {
  const local = { externalTrafficPolicy: 'Local' } as const;
  const nodes = candidates(threeNodes);
  const idle = service('idle', [], { endpoints: [endpoint('n1', { ready: false, serving: false })] });
  const onN1 = service('web', [], local);

  it('is that an EIP has none, when all its Services are there with all their slices', () => {
    expect(lackEndpoints([idle], 4)).to.equal(true);
    expect(lackEndpoints([], 4)).to.equal(false);
    expect(lackEndpoints([idle, onN1], 4)).to.equal(false);
    expect(lackEndpoints([{ ...idle, slicesKnown: false }], 4)).to.equal(false);
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
