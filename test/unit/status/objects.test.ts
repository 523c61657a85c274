import { expect } from 'chai';
import { DesiredTable } from '../../../src/model/desired.ts';
import { hostPrefix, parseIp } from '../../../src/model/ip.ts';
import {
  changeObject,
  type KernelObject,
  keyOf,
  type Route,
  type Sysctl,
} from '../../../src/model/object.ts';
import type { Report } from '../../../src/reconcile/report.ts';
import { objectStatuses } from '../../../src/status/objects.ts';
import { endpoint, node, Scene, service, snapshot, threeNodes } from '../../scene.ts';
import { adding, byKey, deleting, group, nexthop, replacing, route } from '../reconcile/objects.ts';

const names = (index: number): string => `eth${index}`;
const forwarding = (value: string): Sysctl => ({ kind: 'sysctl', name: 'net/ipv4/ip_forward', value });
const found = { held: [], failed: [], conflicts: [] };

interface Case {
  readonly it: string;
  readonly want?: readonly KernelObject[];
  readonly have?: readonly KernelObject[];
  readonly former?: Readonly<Record<string, string>>;
  readonly report?: Partial<Pick<Report, 'held' | 'failed' | 'conflicts'>>;
  readonly rows: readonly string[];
}

const foreign: Route = { ...route(9, undefined), type: 'blackhole', protocol: 4 };
const refused = { code: 'EINVAL', message: 'EINVAL: Device not up' };

const cases: readonly Case[] = [
  {
    it: 'is installed when the kernel has it as desired',
    want: [nexthop(1)],
    have: [nexthop(1)],
    rows: ['installed nexthop nexthop 1 | id 1 via 10.0.0.11 dev eth2 proto 86 | a test'],
  },
  {
    it: 'is pending before it is written',
    want: [nexthop(1)],
    rows: ['pending nexthop nexthop 1 | id 1 via 10.0.0.11 dev eth2 proto 86 | a test'],
  },
  {
    it: 'is pending with the former object while a change is due',
    want: [group(5, [1, 2])],
    have: [group(5, [1])],
    rows: [
      'pending group nexthop 5 | id 5 group 1/2 proto 86 | a test | in the kernel: id 5 group 1 proto 86',
    ],
  },
  {
    it: 'is refused with the words of the kernel, whatever the verb',
    want: [nexthop(1), group(5, [1, 2])],
    have: [group(5, [1]), nexthop(3)],
    report: {
      failed: [
        { change: adding(nexthop(1)), ...refused },
        { change: replacing(group(5, [1]), group(5, [1, 2])), ...refused },
        { change: deleting(nexthop(3)), ...refused },
      ],
    },
    rows: [
      'refused group nexthop 5 | id 5 group 1/2 proto 86 | a test | EINVAL: Device not up',
      'refused nexthop nexthop 1 | id 1 via 10.0.0.11 dev eth2 proto 86 | a test | EINVAL: Device not up',
      'refused nexthop nexthop 3 | id 3 via 10.0.0.13 dev eth2 proto 86 | a test | EINVAL: Device not up',
    ],
  },
  {
    it: 'is refused although the desire has left it out since',
    report: { failed: [{ change: adding(nexthop(1)), ...refused }] },
    rows: [
      'refused nexthop nexthop 1 | id 1 via 10.0.0.11 dev eth2 proto 86 | a test | EINVAL: Device not up',
    ],
  },
  {
    it: 'is held with the reason, and until when',
    have: [route(1, 5), route(2, 5)],
    report: {
      held: [
        { ...deleting(route(1, 5)), reason: 'too many at once', until: 0 },
        { ...deleting(route(2, 5)), reason: 'lists incomplete', until: undefined },
      ],
    },
    rows: [
      'held route route 254 198.51.100.1/32 0 | 198.51.100.1 nhid 5 proto 86 | a test | too many at once, until 1970-01-01T00:00:00.000Z',
      'held route route 254 198.51.100.2/32 0 | 198.51.100.2 nhid 5 proto 86 | a test | lists incomplete',
    ],
  },
  {
    it: 'is foreign with the object of the other program',
    want: [route(8, 5), route(9, 5)],
    report: {
      conflicts: [
        { want: route(9, 5), why: { text: 'a test' }, holder: foreign },
        { want: route(8, 5), why: { text: 'a test' }, holder: undefined },
      ],
    },
    rows: [
      'foreign route route 254 198.51.100.8/32 0 | 198.51.100.8 nhid 5 proto 86 | a test',
      'foreign route route 254 198.51.100.9/32 0 | 198.51.100.9 nhid 5 proto 86 | a test | blackhole 198.51.100.9 proto 4',
    ],
  },
  {
    it: 'is unwanted while its delete is due',
    have: [nexthop(1)],
    rows: ['unwanted nexthop nexthop 1 | id 1 via 10.0.0.11 dev eth2 proto 86 | no longer wanted'],
  },
  {
    it: 'is a sysctl only when it is desired, or was set by us',
    want: [],
    have: [forwarding('1'), { ...forwarding('0'), name: 'net/ipv4/conf/all/rp_filter' }],
    former: { 'net/ipv4/ip_forward': '0' },
    rows: ['unwanted sysctl sysctl net/ipv4/ip_forward | net.ipv4.ip_forward = 1 | no longer wanted'],
  },
  {
    it: 'is as the tables say once a later write has changed them',
    want: [nexthop(1)],
    have: [nexthop(1)],
    report: {
      failed: [{ change: adding(nexthop(1)), ...refused }],
      held: [{ ...deleting(route(1, 5)), reason: 'too many at once', until: 0 }],
    },
    rows: ['installed nexthop nexthop 1 | id 1 via 10.0.0.11 dev eth2 proto 86 | a test'],
  },
];

function rowsOf({
  want = [],
  have = [],
  former = {},
  report = {},
}: Omit<Case, 'it' | 'rows'>): readonly string[] {
  const desired = new DesiredTable();
  for (const object of want) desired.set(object, { text: 'a test' });
  const actual = { objects: byKey(have), formerSysctls: new Map(Object.entries(former)) };
  return text(objectStatuses({ desired, actual, report: { ...found, ...report } }, names));
}

function text(rows: ReturnType<typeof objectStatuses>): readonly string[] {
  return rows.map(({ state, kind, key, object, why, detail }) =>
    [`${state} ${kind} ${key}`, object, why, ...(detail === undefined ? [] : [detail])].join(' | '),
  );
}

describe('an object of the status', () => {
  for (const { it: name, rows, ...rest } of cases) {
    it(name, () => {
      expect(rowsOf(rest)).to.deep.equal(rows);
    });
  }

  it('keeps the reason that it had while it was desired', () => {
    const desired = new DesiredTable();
    desired.set(nexthop(1), { text: 'node n1' });
    desired.delete('nexthop 1');
    const actual = { objects: byKey([nexthop(1)]), formerSysctls: new Map<string, string>() };
    const [row] = objectStatuses({ desired, actual, report: found }, names);
    expect(row?.why).to.equal('no longer wanted: node n1');
  });

  it('is listed once, by kind and key, after a round with a refusal, a conflict and a hold', async () => {
    const web = service('web', ['198.51.100.10']);
    const api = service('api', ['198.51.100.11'], {
      externalTrafficPolicy: 'Local',
      endpoints: [endpoint('n2')],
    });
    const scene = new Scene(snapshot([...threeNodes, node('far', ['10.9.9.9'])], [api, web]));
    const taken: Route = { ...foreign, dst: hostPrefix(parseIp('198.51.100.10')) };
    scene.world.add(taken);
    let report = await scene.round();
    const states = () => {
      const { actual } = scene.reconciler;
      if (actual === undefined) throw new Error('no round yet');
      const rows = objectStatuses({ desired: scene.role.desire.table, actual, report }, names);
      const keys = rows.map(({ key }) => key);
      expect(new Set(keys).size).to.equal(keys.length);
      expect(rows.map(({ kind, key }) => `${kind} ${key}`)).to.deep.equal(
        rows.map(({ kind, key }) => `${kind} ${key}`).sort(),
      );
      for (const kind of ['nexthop', 'group', 'route', 'sysctl'] as const) {
        const installed = rows.filter((row) => row.kind === kind && row.state === 'installed').length;
        expect(installed, kind).to.equal(report.installed[kind]);
      }
      return new Map(rows.map(({ key, state }) => [key, state]));
    };
    expect(report.failed.map(({ change }) => states().get(keyOf(changeObject(change))))).to.deep.equal([
      'refused',
    ]);
    expect(states().get(keyOf(taken))).to.equal('foreign');
    expect(states().get('route 254 198.51.100.11/32 0')).to.equal('installed');

    scene.cluster = snapshot(threeNodes, [], { complete: false });
    report = await scene.round();
    expect(states().get('route 254 198.51.100.11/32 0')).to.equal('held');
  });
});
