import { expect } from 'chai';
import { plain } from '../../../src/cli/paint.ts';
import { type PlanView, planRow, planText } from '../../../src/cli/plan-text.ts';
import { heldText } from '../../../src/cli/release-text.ts';
import { parseIp, parsePrefix } from '../../../src/model/ip.ts';
import type { Change, KernelObject, Route } from '../../../src/model/object.ts';
import type { PlannedChange } from '../../../src/reconcile/report.ts';
import type { Need } from '../../../src/status/need.ts';
import type { HeldStatus } from '../../../src/status/status.ts';
import { expectSamples } from '../../sampled-page.ts';

const now = Date.UTC(2026, 0, 8, 13, 44, 48);
const names = (index: number): string => ['', 'lo', 'eth0', 'eth1'][index] ?? `if${index}`;

const sysctl = (name: string, value: string): KernelObject => ({ kind: 'sysctl', name, value });
const nexthop: KernelObject = {
  kind: 'nexthop',
  id: 250_000_000,
  protocol: 86,
  via: parseIp('10.0.0.11'),
  link: 2,
};
const route = (eip: string, nhid: number): Route => ({
  kind: 'route',
  table: 254,
  dst: parsePrefix(`${eip}/32`),
  metric: 0,
  protocol: 86,
  type: 'unicast',
  nhid,
  hops: [],
  src: undefined,
});

function planned(change: Change, text: string): PlannedChange {
  return { ...change, key: text, why: { text } };
}

const forward = planned(
  { verb: 'replace', want: sysctl('net/ipv4/ip_forward', '1'), have: sysctl('net/ipv4/ip_forward', '0') },
  'gateway settings',
);
const added = planned({ verb: 'add', want: nexthop }, 'node node1');
const moved = planned(
  { verb: 'replace', want: route('198.51.100.10', 260_000_001), have: route('198.51.100.10', 260_000_000) },
  'Service default/web',
);
const gone = planned(
  { verb: 'delete', have: route('198.51.100.77', 260_000_000) },
  'no longer wanted: Service default/old',
);

const conflict: Need = {
  kind: 'CONFLICT',
  code: 'conflict',
  severity: 'error',
  subject: '198.51.100.41',
  where: 'default/taken',
  why: 'held by "via 10.0.0.99 dev eth0 proto 4"',
  advice: 'delete it: ip route delete 198.51.100.41 via 10.0.0.99 dev eth0 proto 4',
  eip: parseIp('198.51.100.41'),
};

const nothing: PlanView = {
  due: [],
  formerSysctls: new Map([['net/ipv4/conf/all/rp_filter', '2']]),
  names,
  shadows: [],
  state: 'OK',
  summary: '4 of 4 EIPs routed over 3 nodes',
  needs: [],
  installed: 27,
};

describe('planRow', () => {
  const row = (one: PlannedChange): string => {
    const { sign, text, why } = planRow(one, nothing);
    return `${sign} ${text} | ${why}`;
  };
  const cases: readonly (readonly [one: PlannedChange, row: string])[] = [
    [forward, '~ sysctl net.ipv4.ip_forward  0 -> 1 | gateway settings'],
    [added, '+ nexthop id 250000000 via 10.0.0.11 dev eth0 proto 86 | node node1'],
    [
      moved,
      '~ route 198.51.100.10 nhid 260000001 proto 86 | Service default/web; was 198.51.100.10 nhid 260000000 proto 86',
    ],
    [gone, '- route 198.51.100.77 nhid 260000000 proto 86 | no longer wanted: Service default/old'],
    [
      planned({ verb: 'delete', have: sysctl('net/ipv4/conf/all/rp_filter', '0') }, 'no longer wanted'),
      '~ sysctl net.ipv4.conf.all.rp_filter  0 -> 2 | no longer wanted',
    ],
    [
      planned(
        {
          verb: 'add',
          want: {
            kind: 'group',
            id: 260_000_000,
            protocol: 86,
            members: [{ id: 250_000_000, weight: 1 }],
            resilience: undefined,
          },
        },
        '2 EIPs',
      ),
      '+ nexthop id 260000000 group 250000000 proto 86 | 2 EIPs',
    ],
  ];
  for (const [one, want] of cases) {
    it(`says ${want}`, () => {
      expect(row(one)).to.equal(want);
    });
  }
});

describe('planText', () => {
  const text = (rest: Partial<PlanView>): string => planText({ ...nothing, ...rest }, now, plain);

  it('says that nothing would change, and how it is', () => {
    expect(text({})).to.equal('No changes. 4 of 4 EIPs routed over 3 nodes; 27 objects as wanted.\n');
  });

  it('does not say that all is well when something would be missing', () => {
    const said = text({ state: 'DEGRADED', summary: '3 of 4 EIPs routed', needs: [conflict] });
    expect(said).to.match(
      /^Needs you \(1\)\n {2}CONFLICT {2}198\.51\.100\.41 .*\n.*\n\nAfterwards DEGRADED: 3 of 4 EIPs routed\nNo changes\.\n$/,
    );
  });

  it('ends with how many objects come, change and go', () => {
    expect(text({ due: [forward, added, moved, gone] })).to.match(
      /\n\nPlan: 1 to add, 2 to change, 1 to delete\. As commands: eiproute plan --commands\n$/,
    );
  });

  it('lets nobody write to the terminal', () => {
    const odd = planned({ verb: 'add', want: nexthop }, 'node \u001b[8mx');
    expect(text({ due: [odd] })).not.to.match(/[^\P{C}\n]/u);
  });
});

const held = (eip: string | undefined, service: string, reason: string): HeldStatus => ({
  object: `${eip} nhid 260000000 proto 86`,
  eip: eip === undefined ? undefined : parseIp(eip),
  services: [service],
  reason,
  until: new Date(now + 552_000).toISOString(),
});
const many = Array.from({ length: 6 }, (_, i) =>
  held(`198.51.100.${14 + i}`, `shop/web${i}`, 'too many at once'),
);
const eips = { wanted: 4, routed: 4, conflict: 0, refused: 0, held: 6, dark: 0, shadowed: 0, idle: 0 };
const status = { held: many, eips, now: new Date(now).toISOString() };

describe('heldText', () => {
  it('says that nothing is held', () => {
    expect(heldText({ ...status, held: [] })).to.equal('nothing is held\n');
  });

  it('says that what is held for another reason is none of its own', () => {
    expect(heldText({ ...status, held: [held('198.51.100.14', 'shop/a', 'fight')] })).to.equal(
      'nothing is held that a release could let go; 1 change waits for another reason: eiproute status\n',
    );
  });

  it('is about the EIPs that are asked for', () => {
    const lines = heldText(status, [parseIp('198.51.100.15')]).split('\n');
    expect(lines).to.deep.equal([
      '1 of 6 held EIPs would go, the others stay held: too much at once. Held until 2026-01-08T13:54:00.000Z (9 min left).',
      '  198.51.100.15  shop/web1',
      '',
    ]);
  });

  it('lists the EIPs by address, not more than one reads, and their one namespace', () => {
    const lots = Array.from({ length: 30 }, (_, i) =>
      held(`198.51.100.${99 - i}`, `shop/w${i}`, 'too many at once'),
    );
    const lines = heldText({ ...status, held: lots }).split('\n');
    expect(lines[1]).to.match(/^ {2}198\.51\.100\.70 /);
    expect(lines).to.have.length(1 + 20 + 3);
    expect(lines.at(-3)).to.equal('  and 10 more: --json has all');
    const two = [...many, held('198.51.100.99', 'other/x', 'too many at once')];
    expect(heldText({ ...status, held: two })).not.to.match(/All of them/);
  });
});

describe('docs/plan.md', () => {
  it('shows what eiproute prints (UPDATE_DOCS=1 writes it anew)', () => {
    const view: PlanView = {
      ...nothing,
      due: [forward, added, moved, gone],
      shadows: [
        'default via 203.0.113.254 dev eth1 will win over the present one via 192.168.1.1 dev eth0 metric 100',
      ],
      state: 'DEGRADED',
      summary: '3 of 4 EIPs routed over 3 nodes; 1 in conflict',
      needs: [conflict],
    };
    const printed = new Map([
      ['plan', `$ eiproute plan\n${planText(view, now, plain)}`],
      ['held', `$ eiproute release --show\n${heldText(status)}`],
    ]);
    expectSamples('docs/plan.md', printed);
  });
});
