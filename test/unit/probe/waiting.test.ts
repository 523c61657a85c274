import { expect } from 'chai';
import { waitingNodes } from '../../../src/probe/waiting.ts';
import { endpoint, service } from '../../scene.ts';

/** `n1 n2-`: ready on n1, shutting down on n2; `n3!`: neither. */
function local(
  on: string,
  policy: 'Local' | 'Cluster' = 'Local',
  healthCheckNodePort: number | undefined = 31_000,
) {
  const endpoints = on
    .split(' ')
    .filter(Boolean)
    .map((one) => {
      const ready = /\w$/.test(one);
      return endpoint(one.slice(0, 2), {
        ready,
        serving: !one.endsWith('!'),
        terminating: one.endsWith('-'),
      });
    });
  return service('web', ['198.51.100.10'], { externalTrafficPolicy: policy, healthCheckNodePort, endpoints });
}

describe('the nodes that wait for their kube-proxy', () => {
  const cases: readonly {
    readonly name: string;
    readonly before?: string;
    readonly after: string;
    readonly waiting?: string;
    readonly routed?: boolean;
    readonly want?: string;
  }[] = [
    { name: 'are all of a new Service', after: 'n1 n2', routed: false, want: 'n1 n2' },
    { name: 'are the new ones', before: 'n1', after: 'n1 n2', want: 'n2' },
    { name: 'are the new one while the old one shuts down', before: 'n1', after: 'n1- n2', want: 'n2' },
    { name: 'are none when nothing has come', before: 'n1 n2', after: 'n1' },
    { name: 'wait on', before: 'n1- n2', after: 'n1- n2', waiting: 'n2', want: 'n2' },
    {
      name: 'wait no more when the old one has gone: nothing better is known',
      before: 'n1- n2',
      after: 'n2',
      waiting: 'n2',
    },
    {
      name: 'wait no more when the old one serves no more',
      before: 'n1- n2',
      after: 'n1! n2',
      waiting: 'n2',
    },
    { name: 'are none when all old ones went at once', before: 'n1', after: 'n2' },
    {
      name: 'wait on for a Service that has no route yet, whatever went',
      before: 'n1 n2',
      after: 'n2',
      waiting: 'n1 n2',
      routed: false,
      want: 'n2',
    },
    { name: 'are those that were not able to serve before', before: 'n1 n2!', after: 'n1 n2', want: 'n2' },
    { name: 'are none that shut down, and are ready again', before: 'n1 n2-', after: 'n1 n2' },
    { name: 'are none without an endpoint that serves', before: 'n1', after: 'n1 n2!' },
  ];
  for (const { name, before, after, waiting = '', routed = true, want = '' } of cases) {
    it(name, () => {
      const found = waitingNodes(
        {
          before: before === undefined ? undefined : local(before),
          after: local(after),
          waiting: new Set(waiting.split(' ').filter(Boolean)),
          isRouted: routed,
        },
        4,
      );
      expect([...found].join(' ')).to.equal(want);
    });
  }

  it('are none under Cluster, without a health check port, and of the other family', () => {
    const of = (after: ReturnType<typeof local>, family: 4 | 6): number =>
      waitingNodes({ before: undefined, after, waiting: new Set(), isRouted: false }, family).size;
    expect(of(local('n1'), 4)).to.equal(1);
    expect(of(local('n1', 'Cluster'), 4)).to.equal(0);
    expect(of({ ...local('n1'), healthCheckNodePort: undefined }, 4)).to.equal(0);
    const [v4] = local('n1').endpoints;
    expect(of({ ...local('n1'), endpoints: v4 ? [v4] : [] }, 6)).to.equal(0);
  });
});
