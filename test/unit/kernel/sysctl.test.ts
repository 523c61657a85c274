import { expect } from 'chai';
import { readSysctl, sysctlError, writeSysctl } from '../../../src/kernel/sysctl.ts';

describe('a sysctl', () => {
  const failed = (code: string) => Object.assign(new Error(`${code}: as Node says it`), { code });
  const cases: readonly (readonly [string, string, string, string])[] = [
    ['net/ipv4/conf/eth7/rp_filter', 'ENOENT', 'there is no interface eth7', 'names the interface'],
    ['net/ipv6/neigh/eth0.100/retrans_time_ms', 'ENOENT', 'no interface eth0.100', 'names it with dots'],
    ['net/ipv4/nexthop_compat_mode', 'ENOENT', 'this kernel has no such setting', 'blames the kernel'],
    ['net/ipv4/ip_forward', 'EROFS', 'ReadWritePaths=/proc/sys/net', 'says what systemd wants'],
    ['net/ipv4/ip_forward', 'EACCES', 'CAP_NET_ADMIN', 'names the capability'],
    ['net/ipv4/ip_forward', 'EPERM', 'CAP_NET_ADMIN', 'names the capability'],
    ['net/ipv4/ip_forward', 'EINVAL', 'does not take this value', 'blames the value'],
  ];
  for (const [name, code, words, what] of cases) {
    it(`${what} on ${code} of ${name}`, () => {
      const error = sysctlError(name, 'write', failed(code));
      expect(error.code).to.equal(code);
      expect(error.message).to.include(`cannot write /proc/sys/${name}`).and.to.include(words);
    });
  }

  it('is read with its white space folded', async () => {
    expect(await readSysctl('net/ipv4/ip_local_port_range')).to.match(/^\d+ \d+$/);
  });

  it('that does not exist has no value', async () => {
    expect(await readSysctl('net/ipv4/conf/eip-nowhere/rp_filter')).to.equal(undefined);
  });

  it('is never a path beside /proc/sys', async () => {
    for (const name of ['../../etc/hostname', '/etc/hostname', 'net//ipv4', 'net/./ipv4']) {
      for (const deed of [readSysctl(name), writeSysctl(name, 'x')]) {
        const outcome = await deed.then(
          () => 'done',
          (error: unknown) => error,
        );
        expect(outcome).to.be.instanceOf(RangeError);
      }
    }
  });
});
