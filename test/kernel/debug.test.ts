import { spawnSync } from 'node:child_process';
import { expect } from 'chai';
import { describeOnKernel } from './namespace.ts';

const source = new URL('../../src/kernel/linux.ts', import.meta.url).href;
const owner = new URL('../../src/model/owner.ts', import.meta.url).href;
const script = `
  import { LinuxKernel } from ${JSON.stringify(source)};
  import { ownerOf } from ${JSON.stringify(owner)};
  await using kernel = await LinuxKernel.open('/nonexistent/eip-state');
  const signal = AbortSignal.timeout(60000);
  await kernel.list({ owner: ownerOf(86), tables: [254], sysctls: [], nftTables: [], neighbours: [] }, signal);
  const hop = { kind: 'nexthop', id: 250000001, protocol: 86, via: '10.0.0.11', link: 4711 };
  await kernel.apply([{ verb: 'add', want: hop }], signal);
`;

function lines(debug: string): readonly string[] {
  const argv = ['--input-type=module', '-e', script];
  const env = { ...process.env, EIPROUTE_DEBUG: debug };
  const { status, stderr } = spawnSync(process.execPath, argv, { env, encoding: 'utf8', timeout: 120_000 });
  expect(status, stderr).to.equal(0);
  return stderr.split('\n').filter(Boolean);
}

describeOnKernel('EIPROUTE_DEBUG', () => {
  it('=netlink shows what is asked, and what the kernel answers in its own words', () => {
    const shown = lines('netlink');
    for (const [i, line] of shown.entries())
      expect(line, `line ${i}`).to.match(/^netlink (dumps|commands): [<>] [A-Z]/);
    const told = (pattern: RegExp): number => shown.findIndex((line) => pattern.test(line));
    const asked = told(
      /^netlink commands: > RTM_NEWNEXTHOP seq 0 REQUEST\|ACK\|EXCL\|CREATE inet .*NHA_OIF 4711/,
    );
    const refused = told(
      /^netlink commands: < NLMSG_ERROR seq 0 port \d+ \S+ EINVAL: Invalid device index \(RTM_NEWNEXTHOP\)$/,
    );
    expect(asked).to.be.greaterThan(told(/^netlink dumps: < RTM_NEWLINK .* MULTI.* IFLA_IFNAME "lo"/));
    expect(refused, shown.join('\n')).to.be.greaterThan(asked);
  });

  it('shows nothing otherwise', () => {
    expect(lines('')).to.deep.equal([]);
  });
});
