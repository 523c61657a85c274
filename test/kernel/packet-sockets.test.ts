import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { describeOnKernel } from './namespace.ts';

const run = promisify(execFile);
const module = fileURLToPath(new URL('../../src/kernel/packet-sockets.ts', import.meta.url));

/** Drops, and says which threads still have CAP_NET_RAW, and whether a packet socket opens. */
const script = `
const { dropRawPackets, inheritedPacketSockets } = await import(${JSON.stringify(module)});
const { LinuxSegment } = await import(${JSON.stringify(module.replace('packet-sockets', 'linux-segment'))});
const { readdirSync, readFileSync } = await import('node:fs');
dropRawPackets();
const sockets = inheritedPacketSockets();
const threads = readdirSync('/proc/self/task').map((id) => readFileSync('/proc/self/task/' + id + '/status', 'utf8'));
const effective = threads.map((status) => BigInt('0x' + /CapEff:\\s*(\\S+)/.exec(status)[1]));
const attempt = (given) => { try { return new LinuxSegment(given).bind(1); } catch (error) { return error.message; } };
console.log(JSON.stringify({
  threads: threads.length,
  raw: effective.filter((bits) => bits & (1n << 13n)).length,
  admin: effective.filter((bits) => bits & (1n << 12n)).length,
  anew: attempt(undefined),
  inherited: attempt(sockets),
}));
process.exit(0);
`;

async function as(capabilities: string): Promise<Readonly<Record<string, unknown>>> {
  const { stdout } = await run('setpriv', [
    '--reuid=65534',
    '--regid=65534',
    '--clear-groups',
    `--inh-caps=${capabilities}`,
    `--ambient-caps=${capabilities}`,
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    '--input-type=module',
    '-e',
    script,
  ]);
  return JSON.parse(stdout);
}

describeOnKernel('CAP_NET_RAW', () => {
  it('is gone from every thread once the sockets are open, and the sockets work', async () => {
    const { threads, ...rest } = await as('+net_admin,+net_raw');
    expect(threads).to.be.greaterThan(1);
    expect(rest).to.deep.equal({
      raw: 0,
      admin: threads,
      anew: 'EPERM: socket on a packet socket',
      inherited: '00:00:00:00:00:00',
    });
  });

  it('is not asked for where the unit does not give it', async () => {
    const { inherited } = await as('+net_admin');
    expect(inherited).to.equal('EPERM: socket on a packet socket');
  });
});
