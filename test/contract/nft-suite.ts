import { expect } from 'chai';
import { inet, nftTable } from '../../src/model/nft.ts';
import { type KernelObject, keyOf } from '../../src/model/object.ts';
import { late } from '../patience.ts';
import type { MakeKernelFixture } from './kernel-fixture.ts';
import { foreign, owner, rule } from './objects.ts';
import { adding, deleting, foreignTwin, replacing, Scenario } from './scenario.ts';

const content = `
  set nets {
    type ipv4_addr
    flags interval
    elements = { 198.51.100.0/24, 192.0.2.8 }
  }
  chain guard {
    type filter hook input priority 150; policy accept;
    ip daddr @nets ct state != { established, related } meta l4proto 6 reject with tcp reset
    ip daddr @nets ct mark set ct mark & 0xff0fffff | 0x00100000
  }
`;
const table = nftTable(inet('eip-table'), owner.protocol, content);
const other = nftTable(inet('eip-table'), owner.protocol, content.replace('0x00100000', '0x00200000'));
const broken = nftTable(inet('eip-table'), owner.protocol, '  chain guard {\n');

export function describeNft(make: MakeKernelFixture): void {
  describe('an nftables table', () => {
    let scenario: Scenario;
    beforeEach(async () => {
      scenario = await Scenario.open(make);
    });
    afterEach(() => scenario.close());

    /** What a listing shows of it, the words aside: each nft prints its own. */
    async function shown(): Promise<unknown> {
      const found = await scenario.shown(table);
      return found?.kind === 'nft' ? { protocol: found.protocol, digest: found.digest } : found;
    }
    const facts = ({ protocol, digest }: typeof table) => ({ protocol, digest });

    it('is listed as it was written, and again after a restart', async () => {
      await scenario.add(table);
      expect(await shown()).to.deep.equal(facts(table));
      await scenario.fixture.restart();
      expect(await shown()).to.deep.equal(facts(table));
    });

    it('is replaced as a whole, and goes', async () => {
      await scenario.add(table);
      expect(await scenario.one(replacing(table, other))).to.equal('ok');
      expect(await shown()).to.deep.equal(facts(other));
      expect(await scenario.one(deleting(other))).to.equal('ok');
      expect(await shown()).to.equal(undefined);
      expect(await scenario.one(deleting(other))).to.equal('ENOENT');
    });

    it('has all of its content', async () => {
      await scenario.add(table);
      const found = await scenario.shown(table);
      expect(found?.kind === 'nft' && found.content)
        .to.include('set nets')
        .and.to.include('chain guard');
    });

    it('shows that another program took a rule out', async () => {
      await scenario.add(table);
      await scenario.fixture.touchNft('eip-table');
      const found: KernelObject | undefined = await scenario.shown(table);
      expect(found?.kind === 'nft' && found.digest).to.match(/^touched/);
      expect(await scenario.one(replacing(found ?? table, table))).to.equal('ok');
      expect(await shown()).to.deep.equal(facts(table));
    });

    it('is never taken over', async () => {
      await scenario.meddle(foreignTwin(table));
      expect(await shown()).to.equal(undefined);
      expect(await scenario.one(adding(table))).to.equal('EEXIST');
      const holders = await scenario.kernel.holders(
        new Set([keyOf(table), 'nft inet eip-free']),
        scenario.signal,
      );
      expect([...holders.keys()]).to.deep.equal([keyOf(table)]);
      const holder = holders.get(keyOf(table));
      expect(holder?.kind === 'nft' && holder.protocol).to.equal(foreign);
    });

    it('stands in one family of IP as well, where a statement like dup is', async () => {
      const one = nftTable(
        { family: 'ip6', name: 'eip-table6' },
        owner.protocol,
        '  chain away {\n    ip6 daddr 2001:db8:e::/64 dup to 2001:db8:10::13 device "eip-lan" drop\n  }\n',
      );
      await scenario.add(table, one);
      expect(await shown()).to.deep.equal(facts(table));
      const digestOf = async (): Promise<unknown> => {
        const found = await scenario.shown(one);
        return found?.kind === 'nft' && found.digest;
      };
      expect(await digestOf()).to.equal(one.digest);
      await scenario.fixture.restart();
      expect(await digestOf()).to.equal(one.digest);
      expect(await scenario.one(deleting(one))).to.equal('ok');
      expect(await digestOf()).to.equal(false);
    });

    it('is refused whole when a part of it is wrong', async () => {
      expect(await scenario.one(adding(broken))).to.equal('EINVAL');
      expect(await shown()).to.equal(undefined);
      await scenario.add(table);
      expect(await scenario.one(replacing(table, broken))).to.equal('EINVAL');
      expect(await shown()).to.deep.equal(facts(table));
    });

    it('is not in the way of changes before and behind it', async () => {
      const codes = await scenario.codes([
        adding(rule(4, 1000, 101)),
        adding(broken),
        adding(rule(6, 1000, 101)),
      ]);
      expect(codes).to.deep.equal(['ok', 'EINVAL', 'ok']);
    });

    it('is announced when another program changes it, and not when we do', async () => {
      const end = new AbortController();
      const hints = scenario.kernel.hints(AbortSignal.any([end.signal, late()]));
      await scenario.list();
      await scenario.add(table);
      expect(await scenario.one(replacing(table, other))).to.equal('ok');
      await scenario.list();
      // Closes the list of what we did ourselves.
      await scenario.meddle(rule(4, 31_999, 99));
      const kinds: string[] = [];
      for await (const { kind } of hints) {
        kinds.push(kind);
        if (kind === 'rule') await scenario.fixture.touchNft('eip-table');
        else break;
      }
      expect(kinds).to.deep.equal(['rule', 'nft']);
      end.abort();
    });
  });
}
