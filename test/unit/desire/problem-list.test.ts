import { expect } from 'chai';
import { nothing } from '../../../src/cluster/delta.ts';
import { readerOf } from '../../../src/desire/cluster-reader.ts';
import { GatewayDesire } from '../../../src/desire/gateway-desire.ts';
import { unprobed } from '../../../src/model/probed.ts';
import type { Problem } from '../../../src/model/problem.ts';
import { Actual } from '../../../src/reconcile/actual.ts';
import { gateway, listing, service, snapshot, threeNodes } from '../../scene.ts';

describe('the problems of a gateway', () => {
  it('are the same list as long as they are the same, whoever makes theirs anew', () => {
    const outside = service('far', ['203.0.113.99']);
    let message = 'it waits';
    const waits = (): Problem => ({
      code: 'services-wait',
      severity: 'warn',
      subject: 'Services',
      message,
      advice: '',
    });
    const desire = new GatewayDesire(gateway(), {
      cluster: readerOf(snapshot(threeNodes, [outside])),
      takeDelta: () => nothing,
      probed: unprobed,
      problems: () => [[waits()], []],
    });
    const kernel = new Actual(listing([]));
    const { problems } = desire.update(kernel);
    expect(problems.map(({ code }) => code)).to.include.members(['services-wait', 'eip-outside-pools']);
    expect(desire.update(kernel).problems).to.equal(problems);
    message = 'it waits for another reason';
    const { problems: after } = desire.update(kernel);
    expect(after.map((one) => one.message)).to.include(message);
    expect(desire.update(kernel).problems).to.equal(after);
  });

  it('say that no node can carry an EIP once the lists are in, and not before', () => {
    let state = snapshot([], [service('web', ['198.51.100.10'])], { complete: false });
    const desire = new GatewayDesire(gateway(), {
      cluster: {
        service: (key) => readerOf(state).service(key),
        services: () => state.services,
        overview: () => state,
      },
      takeDelta: () => nothing,
      probed: unprobed,
      problems: () => [],
    });
    const kernel = new Actual(listing([]));
    const codes = (): readonly string[] => desire.update(kernel).problems.map(({ code }) => code);
    expect(codes()).not.to.include('eip-no-node');
    state = { ...state, complete: true };
    expect(codes()).to.include('eip-no-node');
  });
});
