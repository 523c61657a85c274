import { once } from 'node:events';
import { createConnection, createServer } from 'node:net';
import { expect } from 'chai';
import { askHalfOpen } from '../../src/kernel/half-open.ts';
import { type Ip, parseIp } from '../../src/model/ip.ts';
import { late } from '../patience.ts';
import { ip } from './ip.ts';
import { describeOnKernel } from './namespace.ts';

describeOnKernel('a question by SYN, SYN-ACK and RST', () => {
  const ends: readonly Ip[] = ['198.51.100.9', '2001:db8:e::9'].map(parseIp);
  before(async () => {
    await ip('link set lo up');
    for (const end of ends) await ip(`address add ${end} dev lo`);
  });
  after(async () => {
    for (const end of ends) await ip(`address delete ${end} dev lo`);
  });

  for (const to of ends) {
    it(`hears who listens at ${to}, who accepts nothing`, async () => {
      const accepted: number[] = [];
      await using server = createServer((socket) => {
        accepted.push(socket.remotePort ?? 0);
        socket.destroy();
      });
      server.listen(8099, to);
      await once(server, 'listening');
      for (let more = 0; more < 20; more += 1)
        expect(await askHalfOpen({ to, port: 8099, mark: 0x4556_0001 }, 1000, late())).to.equal(undefined);
      // Whoever comes after them is accepted after them.
      const socket = createConnection({ host: to, port: 8099 });
      await once(socket, 'connect');
      const { localPort } = socket;
      await once(socket, 'close');
      expect(accepted).to.deep.equal([localPort]);
    });

    it(`hears that nobody listens at ${to}`, async () => {
      expect(await askHalfOpen({ to, port: 8098, mark: 0 }, 1000, late())).to.equal('ECONNREFUSED');
    });
  }

  it('ends with the reason of its signal', async () => {
    const to = parseIp('198.51.100.77');
    await ip('link add eip-quiet type veth peer name eip-deaf');
    await ip('link set eip-quiet up');
    await ip('link set eip-deaf up');
    await ip(`route add ${to} dev eip-quiet`);
    expect(await askHalfOpen({ to, port: 80, mark: 0 }, 30, late())).to.equal('ETIMEDOUT');
    const error = await askHalfOpen({ to, port: 80, mark: 0 }, 60_000, AbortSignal.timeout(20)).catch(
      (reason: unknown) => reason,
    );
    expect(error).to.have.property('name', 'TimeoutError');
    await ip('link delete eip-quiet');
  });
});
