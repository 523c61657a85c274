import { expect } from 'chai';
import { MemorySegment, Wire } from '../../../lab/fake/memory-segment.ts';
import { parseIp } from '../../../src/model/ip.ts';
import { Duplicates } from '../../../src/probe/duplicates.ts';
import { late } from '../../patience.ts';

const own = '02:00:5e:00:53:01';
const stranger = '02:00:5e:00:53:99';
const other = '02:00:5e:00:53:02';
const [a, b, vip] = [parseIp('198.51.100.10'), parseIp('2001:db8:e::10'), parseIp('203.0.113.100')];

/** Duplicate address detection on a wire in memory, with a clock that the test moves. */
class Bench {
  readonly wire = new Wire();
  readonly port: MemorySegment;
  now = 0;
  changes = 0;
  readonly duplicates: Duplicates;

  constructor(mac = own) {
    this.port = new MemorySegment(this.wire, mac);
    this.duplicates = new Duplicates({
      port: this.port,
      clock: () => this.now,
      changed: () => {
        this.changes += 1;
      },
    });
    this.duplicates.follow({ index: 3, name: 'eth1' }, [vip]);
  }

  /** Lets time pass, with everything that is due and heard in it. */
  async pass(ms: number): Promise<void> {
    const end = this.now + ms;
    for (;;) {
      const wait = await this.duplicates.step();
      await this.#hear();
      if (wait === 0) continue;
      if (this.now + wait > end) break;
      this.now += wait;
    }
    this.now = end;
  }

  /** Somebody says something, and it is heard. */
  async say(kind: 'claim' | 'probe', ip = a, mac = stranger): Promise<void> {
    this.wire.say({ kind, ip, mac });
    await this.#hear();
  }

  async #hear(): Promise<void> {
    // A port that has nothing would wait: something is always there.
    const end = new AbortController();
    const mark = { kind: 'claim', ip: parseIp('192.0.2.1'), mac: stranger } as const;
    this.port.hear(mark);
    for await (const heard of this.port.heard(AbortSignal.any([end.signal, late()]))) {
      await this.duplicates.hear(heard.filter((one) => one !== mark));
      if (heard.includes(mark)) end.abort();
    }
  }

  messages(): readonly string[] {
    return this.duplicates.problems.map(({ message }) => message);
  }
}

describe('duplicate address detection', () => {
  it('takes an EIP for unique after three questions without an answer', async () => {
    const bench = new Bench();
    bench.duplicates.ask([a, b]);
    await bench.pass(749);
    expect(bench.wire.sent.filter((one) => one === `probe ${a}`)).to.have.length(3);
    expect([bench.duplicates.isUnique(a), bench.duplicates.isUnique(b)]).to.deep.equal([false, false]);
    await bench.pass(1);
    expect([bench.duplicates.isUnique(a), bench.duplicates.isUnique(b)]).to.deep.equal([true, true]);
    expect([...bench.duplicates.takeTurned()]).to.have.members([a, b]);
    expect(bench.wire.sent.some((one) => one.startsWith('claim'))).to.equal(false);
  });

  it('asks about many a few hundred at a time: every host gets each question', async () => {
    const bench = new Bench();
    const many = Array.from({ length: 1200 }, (_, i) => parseIp(`198.51.${100 + (i >> 8)}.${i & 255}`));
    bench.duplicates.ask(many);
    const asked = () => bench.wire.sent.filter((one) => one.startsWith('probe 198')).length;
    await bench.pass(0);
    expect(asked()).to.equal(500);
    await bench.pass(50);
    expect(asked()).to.equal(1200);
    await bench.pass(750);
    expect(many.every((eip) => bench.duplicates.isUnique(eip))).to.equal(true);
  });

  it('does not for one that a host has, names both, and asks again until nobody has it', async () => {
    const bench = new Bench();
    bench.wire.hosts.set(a, stranger);
    bench.duplicates.ask([a, b]);
    await bench.pass(1000);
    expect([bench.duplicates.isUnique(a), bench.duplicates.isUnique(b)]).to.deep.equal([false, true]);
    expect(bench.messages()).to.deep.equal([
      `${a} is claimed by ${stranger} on eth1 (ARP); this gateway does not answer for it`,
    ]);
    expect(bench.duplicates.counts).to.deep.equal({ claimed: 1, claims: 3 });
    await bench.pass(35_000);
    expect(bench.duplicates.isUnique(a)).to.equal(false);
    bench.wire.hosts.delete(a);
    await bench.pass(35_000);
    expect(bench.duplicates.isUnique(a)).to.equal(true);
    expect(bench.messages()).to.deep.equal([]);
  });

  it('does not for one that is claimed at any time while it is asked about again', async () => {
    const bench = new Bench();
    bench.wire.hosts.set(a, stranger);
    bench.duplicates.ask([a]);
    await bench.pass(1000);
    bench.wire.hosts.delete(a);
    await bench.pass(29_850);
    await bench.say('claim');
    await bench.pass(1000);
    expect(bench.duplicates.isClaimed(a)).to.equal(true);
  });

  it('asks about an EIP that is claimed once, however often it is claimed', async () => {
    const bench = new Bench();
    bench.duplicates.ask([a]);
    await bench.pass(1000);
    bench.wire.sent.length = 0;
    for (let i = 0; i < 3; i += 1) await bench.say('claim');
    await bench.pass(1000);
    expect(bench.wire.sent.filter((one) => one === `probe ${a}`)).to.have.length(3);
  });

  it('notices a claim after one of another gateway, too', async () => {
    const bench = new Bench();
    bench.duplicates.ask([a]);
    await bench.pass(1000);
    await bench.say('claim', a, other);
    await bench.say('claim', vip, other);
    await bench.pass(1000);
    expect(bench.duplicates.isUnique(a)).to.equal(true);
    await bench.say('claim');
    await bench.pass(1000);
    expect(bench.duplicates.isClaimed(a)).to.equal(true);
  });

  it('tells all hosts where an EIP is, at once, after 1 s and after 5 s, while it is answered for', async () => {
    const bench = new Bench();
    const told = () => bench.wire.sent.filter((one) => one === `claim ${a}`).length;
    bench.duplicates.answers([a]);
    await bench.pass(0);
    expect(told()).to.equal(1);
    await bench.pass(1000);
    expect(told()).to.equal(2);
    await bench.pass(3999);
    expect(told()).to.equal(2);
    await bench.pass(1);
    expect(told()).to.equal(3);
    await bench.pass(100_000);
    expect(told()).to.equal(3);
    bench.duplicates.answers([a]);
    await bench.pass(0);
    bench.duplicates.falls([a]);
    await bench.pass(10_000);
    expect(told()).to.equal(4);
  });

  it('notices a claim afterwards, contradicts it once in 10 s, and forgets it when nobody claims any more', async () => {
    const bench = new Bench();
    bench.duplicates.ask([a]);
    await bench.pass(1000);
    bench.duplicates.answers([a]);
    await bench.pass(6000);
    bench.duplicates.takeTurned();
    const before = bench.wire.sent.length;
    await bench.say('claim');
    await bench.pass(1000);
    await bench.say('claim');
    const told = bench.wire.sent.slice(before).filter((one) => one.startsWith('claim'));
    expect(told).to.deep.equal([`claim ${a}`]);
    expect(bench.messages()).to.deep.equal([
      `${a} is claimed by ${stranger} on eth1 (ARP); this gateway answers for it too, and clients reach the one or the other`,
    ]);
    expect([...bench.duplicates.takeTurned()]).to.deep.equal([a]);
    await bench.pass(40_000);
    expect(bench.messages()).to.deep.equal([]);
    expect(bench.duplicates.isUnique(a)).to.equal(true);
  });

  it('answers who asks before it takes an EIP, which Linux does not for IPv4, and takes it for no claim', async () => {
    const bench = new Bench();
    bench.duplicates.ask([a]);
    await bench.pass(1000);
    await bench.say('probe');
    expect(bench.wire.sent).not.to.include(`claim ${a}`);
    bench.duplicates.answers([a]);
    await bench.pass(6000);
    const before = bench.wire.sent.length;
    await bench.say('probe');
    expect(bench.wire.sent.slice(before)).to.deep.equal([`claim ${a}`]);
    expect(bench.duplicates.isUnique(a)).to.equal(true);
    expect(bench.messages()).to.deep.equal([]);
  });

  it('knows the active gateway by its address, also when that answers last', async () => {
    const bench = new Bench();
    bench.duplicates.ask([a, b]);
    bench.wire.hosts.set(b, other);
    await bench.pass(100);
    await bench.say('claim', a, other);
    await bench.say('claim', vip, other);
    await bench.pass(1000);
    expect([bench.duplicates.isUnique(a), bench.duplicates.isUnique(b)]).to.deep.equal([true, true]);
    // The takeover: the former gateway still claims the EIP for a moment.
    bench.duplicates.answers([a]);
    await bench.say('claim', a, other);
    expect(bench.messages()).to.deep.equal([]);
  });

  it('does not contradict the gateway that takes over, before it knows it by its address', async () => {
    const bench = new Bench();
    bench.duplicates.ask([a]);
    await bench.pass(1000);
    bench.duplicates.answers([a]);
    await bench.pass(6000);
    const before = bench.wire.sent.length;
    bench.wire.hosts.set(vip, other);
    await bench.say('claim', a, other);
    await bench.pass(60_000);
    expect(bench.wire.sent.slice(before)).not.to.include(`claim ${a}`);
    expect(bench.messages()).to.deep.equal([]);
    expect(bench.duplicates.isUnique(a)).to.equal(true);
  });

  it('asks for the address of the active gateway with the EIPs', async () => {
    const bench = new Bench();
    bench.wire.hosts.set(vip, other).set(a, other);
    bench.duplicates.ask([a]);
    await bench.pass(1000);
    expect(bench.duplicates.isUnique(a)).to.equal(true);
  });

  it('says nothing on a standby gateway with a virtual link-layer address, and listens', async () => {
    const bench = new Bench('00:00:5e:00:01:33');
    const segment = { index: 3, name: 'vrrp.51' };
    bench.duplicates.follow(segment, [vip], 'standby');
    bench.duplicates.ask([a]);
    await bench.pass(100_000);
    expect(bench.wire.sent).to.deep.equal([]);
    expect(bench.duplicates.isUnique(a)).to.equal(true);
    await bench.say('claim', a, stranger);
    await bench.pass(0);
    expect(bench.duplicates.isUnique(a)).to.equal(false);
    expect(bench.wire.sent).to.deep.equal([]);
    bench.duplicates.follow(segment, [vip], 'active');
    await bench.pass(100_000);
    expect(bench.wire.sent).to.include(`probe ${a}`);
    expect(bench.duplicates.isUnique(a)).to.equal(true);
  });

  it('asks anew on another interface', async () => {
    const bench = new Bench();
    bench.duplicates.ask([a]);
    await bench.pass(1000);
    bench.duplicates.follow({ index: 4, name: 'eth2' }, [vip]);
    expect(bench.duplicates.isUnique(a)).to.equal(false);
    await bench.pass(1000);
    expect(bench.duplicates.isUnique(a)).to.equal(true);
  });

  it('says what it lacks without CAP_NET_RAW, takes nothing for unique, and goes on trying', async () => {
    const bench = new Bench();
    bench.port.refuses = 'EPERM';
    bench.duplicates.ask([a]);
    await bench.pass(10_000);
    expect(bench.duplicates.isUnique(a)).to.equal(false);
    expect(bench.messages()[0]).to.match(/on eth1 .*\(EPERM/);
    expect(bench.duplicates.problems[0]?.advice).to.match(/CAP_NET_RAW/);
    bench.port.refuses = undefined;
    await bench.pass(10_000);
    expect(bench.duplicates.isUnique(a)).to.equal(true);
    expect(bench.messages()).to.deep.equal([]);
  });

  it('forgets what is no EIP any more', async () => {
    const bench = new Bench();
    bench.wire.hosts.set(a, stranger);
    bench.duplicates.ask([a, b]);
    await bench.pass(1000);
    bench.duplicates.retain(new Set([b]));
    expect(bench.messages()).to.deep.equal([]);
    const before = bench.wire.sent.length;
    await bench.pass(100_000);
    expect(bench.wire.sent.slice(before)).to.deep.equal([]);
  });
});
