import { expect } from 'chai';
import { fillBuckets } from '../../src/desire/buckets.ts';
import { natFrame } from '../../src/desire/nat-frame.ts';
import { defaultNat, type Nat } from '../../src/model/gateway.ts';
import { family, type Ip, parseIp, parsePrefix } from '../../src/model/ip.ts';
import {
  type KernelObject,
  keyOf,
  type NatEip,
  type NatGroup,
  type NatPort,
  type NftTable,
} from '../../src/model/object.ts';
import { late } from '../patience.ts';
import { gateway } from '../scene.ts';
import type { MakeKernelFixture } from './kernel-fixture.ts';
import { groupId, owner, rule } from './objects.ts';
import { adding, deleting, replacing, Scenario } from './scenario.ts';

const seed = 0x65697072;

export function frame(rest: Partial<Nat> = {}): NftTable {
  const made = natFrame(
    gateway({ mode: 'nat', protocol: owner.protocol, nat: { ...defaultNat, seed, ...rest } }),
  );
  if (made === undefined) throw new Error('no frame');
  return made;
}

export function natGroup(n: number, nodes: readonly string[], rest: Partial<NatGroup> = {}): NatGroup {
  const ips: readonly Ip[] = nodes.map(parseIp);
  const buckets = fillBuckets(
    ips.map((ip) => ({ ip, weight: 1 })),
    256,
    seed,
  );
  const [first] = ips;
  const of = first === undefined ? 4 : family(first);
  return {
    kind: 'nat-group',
    id: groupId(n),
    protocol: owner.protocol,
    family: of,
    buckets,
    seed,
    intact: true,
    ...rest,
  };
}

function port(
  protocol: NatPort['protocol'],
  number: number,
  nodePort: number,
  n: number,
  affinity: NatPort['affinity'] = 'address',
): NatPort {
  return { protocol, port: number, nodePort, group: groupId(n), affinity, ranges: undefined };
}

function natEip(eip: string, ports: readonly NatPort[], rest: Partial<NatEip> = {}): NatEip {
  return { kind: 'nat-eip', eip: parseIp(eip), protocol: owner.protocol, ports, intact: true, ...rest };
}

export const group = natGroup(1, ['10.0.0.11', '10.0.0.12', '10.0.0.13']);
const group6 = natGroup(2, ['2001:db8:10::11', '2001:db8:10::12']);
export const web = natEip('192.0.2.7', [port('tcp', 80, 30080, 1), port('udp', 53, 30053, 1, 'connection')]);
const web6 = natEip('2001:db8:e::7', [port('sctp', 9, 30009, 2), port('tcp', 80, 30080, 2)]);
const all: readonly KernelObject[] = [group, group6, web, web6];

export function describeNat(make: MakeKernelFixture): void {
  describe('the table of NAT', () => {
    let scenario: Scenario;
    beforeEach(async () => {
      scenario = await Scenario.open(make);
    });
    afterEach(() => scenario.close());

    /** The groups and EIPs in a listing, by key. */
    async function content(): Promise<ReadonlyMap<string, KernelObject>> {
      const found = await scenario.ours();
      return new Map(found.filter(({ kind }) => kind !== 'nft').map((one) => [keyOf(one), one]));
    }
    async function digest(): Promise<string | undefined> {
      const found = await scenario.shown(frame());
      return found?.kind === 'nft' ? found.digest : undefined;
    }
    const byKey = (objects: readonly KernelObject[]) => new Map(objects.map((one) => [keyOf(one), one]));

    it('has its groups and EIPs as they were written, and again after a restart', async () => {
      await scenario.add(frame(), ...all);
      expect(await content()).to.deep.equal(byKey(all));
      expect(await digest()).to.equal(frame().digest);
      await scenario.fixture.restart();
      expect(await content()).to.deep.equal(byKey(all));
      expect(await digest()).to.equal(frame().digest);
    });

    it('gives a group other nodes, and an EIP other ports, in their place', async () => {
      await scenario.add(frame(), ...all);
      const fewer = natGroup(1, ['10.0.0.12', '10.0.0.13']);
      const moved = natEip('192.0.2.7', [port('sctp', 9, 30009, 1), port('tcp', 80, 30081, 1, 'connection')]);
      expect(await scenario.codes([replacing(group, fewer), replacing(web, moved)])).to.deep.equal([
        'ok',
        'ok',
      ]);
      expect(await content()).to.deep.equal(byKey([fewer, group6, moved, web6]));
      const seeded = { ...fewer, seed: 7 };
      expect(await scenario.one(replacing(fewer, seeded))).to.equal('ok');
      // Judged by the chains of the frame, whatever their seed.
      expect(await content()).to.deep.equal(byKey([seeded, group6, moved, web6]));
    });

    it('lets in whom a port lets in, and nobody where there is none', async () => {
      await scenario.add(frame(), group, group6);
      const open = port('tcp', 80, 30080, 1);
      const some = { ...open, ranges: ['192.0.2.0/24', '198.51.100.7/32'].map(parsePrefix) };
      const none = { ...port('tcp', 81, 30081, 1), ranges: [] };
      const limited = natEip('192.0.2.7', [some, none]);
      const limited6 = natEip('2001:db8:e::7', [
        { ...port('tcp', 80, 30080, 2), ranges: ['2001:db8::/32', '2001:db9::7/128'].map(parsePrefix) },
      ]);
      await scenario.add(limited, limited6);
      expect(await content()).to.deep.equal(byKey([group, group6, limited, limited6]));
      const opened = natEip('192.0.2.7', [open, { ...none, ranges: [parsePrefix('10.0.0.0/8')] }]);
      expect(await scenario.codes([replacing(limited, opened), deleting(limited6)])).to.deep.equal([
        'ok',
        'ok',
      ]);
      expect(await content()).to.deep.equal(byKey([group, group6, opened]));
      expect(await scenario.one(replacing(frame(), frame({ source: 'masquerade' })))).to.equal('ok');
      expect(await content()).to.deep.equal(byKey([group, group6, opened]));
    });

    it('keeps them when its frame is replaced', async () => {
      await scenario.add(frame(), ...all);
      const other = frame({ source: 'masquerade' });
      expect(await scenario.one(replacing(frame(), other))).to.equal('ok');
      expect(await digest()).to.equal(other.digest);
      expect(await content()).to.deep.equal(byKey(all));
    });

    it('shows that another program took a rule out, and keeps the rest when that is mended', async () => {
      await scenario.add(frame(), ...all);
      await scenario.fixture.touchNft(frame().name);
      const found = await scenario.shown(frame());
      expect(found?.kind === 'nft' && found.digest).to.match(/^touched/);
      expect(await content()).to.deep.equal(byKey(all));
      expect(await scenario.one(replacing(found ?? frame(), frame()))).to.equal('ok');
      expect(await digest()).to.equal(frame().digest);
      expect(await content()).to.deep.equal(byKey(all));
    });

    it('shows what another program put in and took out, which can be mended', async () => {
      await scenario.add(frame(), ...all);
      const strange = natEip('192.0.2.8', [port('tcp', 443, 30443, 1)]);
      await scenario.meddle(strange);
      const less = natEip('192.0.2.7', web.ports.slice(1));
      await scenario.fixture.meddle(replacing(web, less));
      expect(await content()).to.deep.equal(byKey([group, group6, less, web6, strange]));
      expect(await scenario.codes([deleting(strange), replacing(less, web)])).to.deep.equal(['ok', 'ok']);
      expect(await content()).to.deep.equal(byKey(all));
    });

    it('shows an EIP that is in its maps alone, or without the port of its node', async () => {
      await scenario.add(frame(), ...all);
      await scenario.fixture.touchNat(web.eip, 'set');
      expect(await scenario.shown(web)).to.deep.equal({ ...web, intact: false });
      expect(await scenario.one(replacing({ ...web, intact: false }, web))).to.equal('ok');
      await scenario.fixture.touchNat(web.eip, 'port');
      const [first, ...rest] = web.ports;
      const half = { ...web, ports: [{ ...first, nodePort: 0 }, ...rest] };
      const found = await scenario.shown(web);
      expect(found).to.deep.equal(half);
      expect(await scenario.one(replacing(found ?? web, web))).to.equal('ok');
      expect(await content()).to.deep.equal(byKey(all));
    });

    it('shows that another program changed the chain of a group', async () => {
      await scenario.add(frame(), ...all);
      await scenario.fixture.touchNat(group.id, 'chain');
      const found = await scenario.shown(group);
      expect(found).to.have.property('intact', false);
      expect(await scenario.one(replacing(found ?? group, group))).to.equal('ok');
      expect(await content()).to.deep.equal(byKey(all));
    });

    it('is emptied from the top down, and goes with all that is in it', async () => {
      await scenario.add(frame(), ...all);
      expect(await scenario.one(deleting(group))).to.equal('EBUSY');
      expect(await scenario.codes([deleting(web), deleting(group)])).to.deep.equal(['ok', 'ok']);
      expect(await content()).to.deep.equal(byKey([group6, web6]));
      expect(await scenario.codes([deleting(web), deleting(group)])).to.deep.equal(['ENOENT', 'ENOENT']);
      expect(await scenario.one(deleting(frame()))).to.equal('ok');
      expect(await content()).to.deep.equal(new Map());
      expect(await digest()).to.equal(undefined);
    });

    it('takes nothing without its frame, or without its group, and nothing twice', async () => {
      expect(await scenario.codes([adding(group), adding(web)])).to.deep.equal(['ENOENT', 'ENOENT']);
      await scenario.add(frame());
      expect(await scenario.codes([adding(web), replacing(group, group)])).to.deep.equal([
        'ENOENT',
        'ENOENT',
      ]);
      await scenario.add(...all);
      expect(await scenario.codes([adding(group), adding(web)])).to.deep.equal(['EEXIST', 'EEXIST']);
      expect(await content()).to.deep.equal(byKey(all));
    });

    it('takes what is right from between what is wrong', async () => {
      await scenario.add(frame(), group, group6);
      const astray = natEip('192.0.2.9', [port('tcp', 80, 30080, 9)]);
      expect(await scenario.codes([adding(web), adding(astray), adding(web6)])).to.deep.equal([
        'ok',
        'ENOENT',
        'ok',
      ]);
      expect(await content()).to.deep.equal(byKey(all));
    });

    it('is announced when another program changes it, and not when we do', async () => {
      const end = new AbortController();
      const hints = scenario.kernel.hints(AbortSignal.any([end.signal, late()]));
      await scenario.list();
      await scenario.add(frame(), ...all);
      expect(await scenario.one(replacing(group, natGroup(1, ['10.0.0.12'])))).to.equal('ok');
      await scenario.list();
      await scenario.meddle(rule(4, 31_999, 99));
      const kinds: string[] = [];
      for await (const { kind } of hints) {
        kinds.push(kind);
        if (kind === 'rule') await scenario.fixture.touchNat(web.eip, 'port');
        else break;
      }
      expect(kinds).to.deep.equal(['rule', 'nft']);
      end.abort();
    });
  });
}
