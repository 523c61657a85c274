import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { command } from '../../src/model/iproute.ts';
import { inet, nftTable } from '../../src/model/nft.ts';
import type { Change, KernelObject } from '../../src/model/object.ts';
import { frame, group, natGroup, web } from '../contract/nat-suite.ts';
import { owner, sysctl } from '../contract/objects.ts';
import { shapes } from '../contract/objects-suite.ts';
import { adding, deleting, replacing, Scenario, settings } from '../contract/scenario.ts';
import { LinuxFixture } from './linux-fixture.ts';
import { describeOnKernel } from './namespace.ts';

const shell = promisify(execFile);

describeOnKernel('a printed change', () => {
  let fixture: LinuxFixture;
  let scenario: Scenario;
  beforeEach(async () => {
    scenario = await Scenario.open(async () => {
      fixture = await LinuxFixture.make();
      return fixture;
    });
    await scenario.add(...scenario.nodes());
  });
  afterEach(() => scenario.close());

  /** Pastes the line into a shell, as a person would. */
  async function paste(change: Change, former?: string): Promise<void> {
    await shell('sh', ['-c', command(change, fixture.names, former)]);
  }

  async function apply(change: Change): Promise<void> {
    expect(await scenario.one(change)).to.equal('ok');
  }

  async function everything(): Promise<ReadonlyMap<string, KernelObject>> {
    return (await scenario.list()).objects;
  }

  for (const [what, shape] of Object.entries(shapes)) {
    it(`does by hand what we do: ${what}`, async () => {
      const want = shape(scenario);
      const before = await everything();
      const steps: Change[] = [adding(want), deleting(want)];
      // Linux has no replace for rules.
      if (want.kind !== 'rule') steps.splice(1, 0, replacing(want, want));
      for (const change of steps) await apply(change);
      for (const change of steps) {
        await paste(change);
        const byHand = await everything();
        if (change.verb === 'delete') {
          expect(byHand).to.deep.equal(before);
        } else {
          await apply(deleting(want));
          await apply(adding(want));
          expect(await everything()).to.deep.equal(byHand);
          expect(byHand.size).to.equal(before.size + 1);
        }
      }
    });
  }

  it('does by hand what we do: an nftables table, which then counts as ours and untouched', async () => {
    const table = nftTable(
      inet('eip-table'),
      owner.protocol,
      '  chain guard {\n    ip daddr 192.0.2.8 drop\n  }\n',
    );
    const other = nftTable(
      inet('eip-table'),
      owner.protocol,
      '  chain guard {\n    ip daddr 192.0.2.9 drop\n  }\n',
    );
    const digest = async (): Promise<unknown> => {
      const found = await scenario.shown(table);
      return found?.kind === 'nft' ? found.digest : found;
    };
    await paste(adding(table));
    expect(await digest()).to.equal(table.digest);
    await paste(replacing(table, other));
    expect(await digest()).to.equal(other.digest);
    await paste(deleting(other));
    expect(await digest()).to.equal(undefined);
  });

  it('does by hand what we do: NAT, which counts as untouched, and stays in another frame', async () => {
    const fewer = natGroup(1, ['10.0.0.12']);
    const steps = [
      adding(frame()),
      adding(group),
      adding(web),
      replacing(group, fewer),
      replacing(frame(), frame({ source: 'masquerade' })),
    ];
    for (const step of steps) await apply(step);
    const ours = await everything();
    await apply(deleting(frame()));
    for (const step of steps) await paste(step);
    const content = (objects: ReadonlyMap<string, KernelObject>) =>
      [...objects.values()].map((one) => (one.kind === 'nft' ? [one.name, one.digest] : one));
    expect(content(await everything())).to.have.deep.members(content(ours));
    await paste(deleting(web));
    await paste(deleting(fewer));
    expect((await scenario.ours()).filter(({ kind }) => kind.startsWith('nat-'))).to.deep.equal([]);
  });

  it('does by hand what we do: a setting', async () => {
    const want = sysctl(settings.redirects, '0');
    await paste(adding(want));
    expect(await fixture.sysctl(settings.redirects)).to.equal('0');
    await paste(deleting(want), '1');
    expect(await fixture.sysctl(settings.redirects)).to.equal('1');
  });
});
