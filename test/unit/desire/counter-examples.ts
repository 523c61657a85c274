import type { History, Step } from './histories.ts';

// Histories that once found a difference between the tables and the full recompute, as fast-check shrank them.

type Shape = NonNullable<Extract<Step, { kind: 'service' }>['to']>;

function held(
  name: string,
  eips: readonly string[],
  policy: Shape['policy'],
  ...on: readonly string[]
): Step {
  const to: Shape = {
    eips,
    external: [],
    policy,
    on: on.map((node) => ({ node, ready: true })),
    namespace: 'default',
    created: 0,
    key: undefined,
  };
  return { kind: 'service', name, to };
}

function inNamespace(namespace: string, step: Step): Step {
  return step.kind === 'service' && step.to !== undefined ? { ...step, to: { ...step.to, namespace } } : step;
}

function endpoints(name: string, ...on: readonly string[]): Step {
  return { kind: 'endpoints', name, on: on.map((node) => ({ node, ready: true })) };
}

function node(name: string, extra = false): Step {
  return { kind: 'node', name, to: { shift: 0, excluded: false, extra } };
}

function gone(kind: 'service' | 'node', name: string): Step {
  return { kind, name, to: undefined };
}

const deletion: Step = { kind: 'disturb', what: 'delete', nth: 0 };
const A = '198.51.100.10';
const B = '198.51.100.11';
const C = '198.51.100.12';

const onN1 = { on: [{ node: 'n1', ready: true }], namespace: 'default', created: 0, key: undefined };
const claiming = { shift: 0, excluded: false, extra: true };

export const counterExamples: readonly (readonly [reason: string, history: History])[] = [
  [
    'no counterexample: a node claims the EIP of a Service that the kernel refused, and no other one needs the node',
    {
      nodes: ['n1', 'n2', 'n3', 'n4'],
      steps: [
        held('b', [A], 'Local', 'n1'),
        held('a', [A], 'Cluster', 'n1'),
        { kind: 'refuse', chance: 1 },
        held('a', [C], 'Cluster', 'n1'),
        { kind: 'deleted', name: 'n1', to: false },
        { kind: 'endpoints', name: 'b', on: [{ node: 'n3', ready: true }] },
        { kind: 'node', name: 'n1', to: claiming },
      ],
    },
  ],
  [
    'no counterexample: fewer nexthops than before are needed when the LAN interface is made again',
    {
      nodes: ['n1', 'n2', 'n3', 'n4'],
      steps: [
        held('a', [A], 'Cluster', 'n1'),
        gone('node', 'n1'),
        { kind: 'disturb', what: 'lan anew', nth: 0 },
      ],
    },
  ],
  [
    'the only node has no address yet, and then it has one',
    {
      nodes: [],
      steps: [
        { kind: 'node', name: 'n1', to: { shift: 0, excluded: false, extra: false, lacks: 'both' } },
        held('a', [A], 'Cluster', 'n1'),
        node('n1'),
      ],
    },
  ],
  [
    'no counterexample: a node that others cover for goes from the cluster',
    {
      nodes: ['n1', 'n2', 'n3'],
      steps: [
        held('a', [A], 'Local', 'n2', 'n3'),
        { kind: 'former', name: 'a', node: 'n1', of: 4, to: true },
        gone('node', 'n1'),
      ],
    },
  ],
  [
    'no counterexample: an EIP of a Cluster and a Local Service is covered for, and no node comes or goes',
    {
      nodes: ['n2', 'n3'],
      steps: [
        { kind: 'deleted', name: 'n1', to: true },
        held('a', [A], 'Cluster', 'n2'),
        held('b', [A], 'Local', 'n2', 'n3'),
        { kind: 'covered', name: 'n1', of: 4, to: true },
      ],
    },
  ],
  [
    'a table of nftables by which nodes are asked was refused, and something changes that has nothing to do with it',
    {
      nodes: ['n1', 'n2'],
      nat: 'all pools',
      steps: [
        { kind: 'refuse', chance: 1 },
        { kind: 'stand', name: 'n1', of: 4, to: 'waiting' },
        { kind: 'refuse', chance: 0 },
      ],
    },
  ],
  [
    'an EIP of a Local and a Cluster Service waits for the node of the Local one',
    {
      nodes: [],
      steps: [
        held('a', [A], 'Local', 'n3'),
        held('b', [A], 'Cluster', 'n1'),
        node('n1'),
        deletion,
        node('n3'),
      ],
    },
  ],
  [
    'an EIP goes to nodes and comes back while one of them is refused',
    {
      nodes: ['n3'],
      steps: [
        held('a', ['2001:db8:e::10'], 'Local'),
        held('e', ['2001:db8:e::10'], 'Cluster', 'n1'),
        endpoints('a', 'far'),
        node('far'),
        endpoints('a'),
        gone('service', 'a'),
        gone('node', 'n1'),
      ],
    },
  ],
  [
    'a dump tries a refused node again, and moves nothing for it',
    {
      nodes: ['far'],
      steps: [
        held('b', [A], 'Local', 'n2'),
        node('n2'),
        held('a', [B, C], 'Cluster'),
        endpoints('a', 'n1'),
        deletion,
        deletion,
        gone('service', 'a'),
      ],
    },
  ],
  [
    'the gateway takes the address of a node before anything leads to it',
    {
      nodes: ['n1'],
      steps: [
        held('c', [A], 'Cluster'),
        { kind: 'disturb', what: 'own address', nth: 0 },
        endpoints('c', 'n1'),
        endpoints('a'),
      ],
    },
  ],
  [
    'a node comes back while the delete of its nexthop is held',
    {
      nodes: ['n1'],
      steps: [
        held('a', [A], 'Cluster', 'n1'),
        { kind: 'complete', to: false },
        gone('node', 'n1'),
        node('n1'),
        endpoints('a'),
      ],
    },
  ],
  [
    'the kernel refuses every other change while a group parts',
    {
      nodes: ['n3', 'n4', 'far'],
      steps: [
        held('a', [A], 'Cluster', 'n1'),
        { kind: 'refuse', chance: 1 },
        held('e', [B, '2001:db8:e::10', A], 'Local'),
        endpoints('e', 'n3'),
        { kind: 'refuse', chance: 0 },
        gone('node', 'n1'),
      ],
    },
  ],
  [
    'the kernel refuses every third change while a node comes',
    {
      nodes: ['n4'],
      steps: [
        held('b', ['192.0.2.10', A], 'Cluster'),
        { kind: 'refuse', chance: 2 },
        endpoints('b', 'n1'),
        node('n1'),
        gone('service', 'a'),
      ],
    },
  ],
  [
    'a node claims an EIP that is in use',
    {
      nodes: ['n4'],
      steps: [
        held('a', [C], 'Cluster'),
        endpoints('a', 'n1'),
        node('n1', true),
        { kind: 'refuse', chance: 0 },
      ],
    },
  ],
  [
    "a node claims an EIP in use, and the LAN goes and comes between two dumps: the pool's unreachable route went",
    {
      nodes: ['n2'],
      steps: [
        {
          kind: 'service',
          name: 'a',
          to: { eips: ['198.51.100.12'], external: [], policy: 'Cluster', ...onN1 },
        },
        { kind: 'node', name: 'n1', to: claiming },
        { kind: 'endpoints', name: 'a', on: onN1.on },
        { kind: 'disturb', what: 'flap', nth: 0 },
      ],
    },
  ],
  [
    'the same while the kernel refuses every node that is left, and the kind of the groups changes',
    {
      nodes: ['n3', 'far'],
      steps: [
        {
          kind: 'service',
          name: 'a',
          to: { eips: ['198.51.100.12'], external: [], policy: 'Cluster', ...onN1 },
        },
        { kind: 'node', name: 'n3', to: undefined },
        { kind: 'node', name: 'n1', to: { ...claiming, excluded: true } },
        { kind: 'gateway', to: { weighByEndpoints: false, buckets: 32, idleTimer: 60 } },
      ],
    },
  ],
  [
    'a group of each kind with the same nodes: the one of the other kind hid the one that fits',
    {
      nodes: ['n1'],
      steps: [
        {
          kind: 'service',
          name: 'a',
          to: { eips: ['198.51.100.10'], external: [], policy: 'Cluster', ...onN1 },
        },
        { kind: 'gateway', to: { weighByEndpoints: false, buckets: 64, idleTimer: 60 } },
        { kind: 'complete', to: false },
        { kind: 'gateway', to: { weighByEndpoints: false, buckets: undefined, idleTimer: 60 } },
        { kind: 'gateway', to: { weighByEndpoints: false, buckets: 64, idleTimer: 60 } },
      ],
    },
  ],
  [
    'the kernel refuses a node under the id that an earlier configuration had for it',
    {
      nodes: ['n4', 'far'],
      steps: [
        { kind: 'refuse', chance: 1 },
        held('a', [A], 'Cluster', 'n1'),
        { kind: 'refuse', chance: 0 },
        { kind: 'gateway', to: { weighByEndpoints: false, buckets: undefined, idleTimer: 60 } },
        gone('node', 'n1'),
      ],
    },
  ],
  [
    'a group of the same nodes is still there, for a route that is to go and is held',
    {
      nodes: ['n2'],
      steps: [
        node('n3'),
        { kind: 'complete', to: false },
        held('e', [A], 'Local', 'n3'),
        held('e', [B], 'Local', 'n2'),
        endpoints('e', 'n3'),
      ],
    },
  ],
];

/** Events that took an EIP away, and that the guard held. */
export const eventCounterExamples: readonly (readonly [reason: string, history: History])[] = [
  [
    'the last endpoint of two Services comes to a node that is left out',
    {
      nodes: ['n1', 'n2', 'n3', 'n4'],
      steps: [
        { kind: 'node', name: 'n2', to: { shift: 0, excluded: true, extra: false } },
        held('a', ['2001:db8:e::10', A], 'Local', 'n1'),
        held('b', [A], 'Cluster'),
        endpoints('a', 'n2'),
      ],
    },
  ],
  [
    'no counterexample: the last endpoint of two EIPs comes to a node whose address may be missing by mistake',
    {
      nodes: ['n1', 'n2', 'n3', 'n4'],
      steps: [
        held('a', [A, B], 'Local', 'n1'),
        held('b', [A], 'Cluster'),
        { kind: 'node', name: 'n4', to: { shift: 0, excluded: false, extra: false, lacks: 'IPv4' } },
        endpoints('a', 'n4'),
        gone('node', 'n1'),
      ],
    },
  ],
];

const reload: Step = { kind: 'gateway', to: { weighByEndpoints: false, buckets: 64, idleTimer: 60 } };

/** Histories in which the guard held something, and the tables differed once it let go. */
export const guardedCounterExamples: readonly (readonly [reason: string, history: History])[] = [
  [
    'no counterexample: a list lacks the node of every EIP, which the guard holds for sure',
    {
      nodes: ['n1'],
      steps: [
        held('a', [A], 'Local', 'n1'),
        held('b', [B], 'Local', 'n1'),
        held('e', ['192.0.2.10'], 'Local', 'n1'),
        held('f', ['2001:db8:e::10'], 'Local', 'n1'),
        { kind: 'complete', to: true },
        gone('node', 'n1'),
      ],
    },
  ],
  [
    'an EIP finds a group of the same nodes that is no longer in use, and another one comes to them in place',
    {
      nodes: [],
      steps: [
        inNamespace('other', held('a', [B], 'Local', 'n3')),
        held('f', [A, B], 'Cluster'),
        node('n1'),
        endpoints('e'),
        reload,
        node('n3'),
        endpoints('f', 'n1'),
        held('e', ['2001:db8:e::10'], 'Local', 'n3'),
        gone('node', 'n3'),
        reload,
      ],
    },
  ],
  [
    'a group is to get a node more, and a missing list may still name another EIP that leads to it',
    {
      nodes: ['n1'],
      steps: [
        node('n4'),
        held('b', ['198.51.100.12', A], 'Cluster'),
        { kind: 'complete', to: false },
        held('a', [B, A], 'Local', 'n1'),
        endpoints('a'),
        gone('service', 'a'),
        endpoints('b', 'n1'),
      ],
    },
  ],
];
