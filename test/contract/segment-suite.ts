import { expect } from 'chai';
import { KernelError } from '../../src/kernel/kernel.ts';
import type { SegmentPort } from '../../src/kernel/segment-port.ts';
import { parseIp } from '../../src/model/ip.ts';
import { late } from '../patience.ts';

/** Two ends of one wire. */
export interface SegmentFixture extends AsyncDisposable {
  readonly here: SegmentPort;
  readonly hereLink: number;
  readonly hereMac: string;
  readonly there: SegmentPort;
  readonly thereLink: number;
}

const eip = parseIp('198.51.100.10');
const eip6 = parseIp('2001:db8:e::10');

/** What every segment port does. */
export function segmentSuite(make: () => Promise<SegmentFixture>): void {
  let fixture: SegmentFixture;
  beforeEach(async () => {
    fixture = await make();
  });
  afterEach(async () => {
    await fixture[Symbol.asyncDispose]();
  });

  /** What the other end hears of the addresses, until it has heard so many things. */
  const hears = async (count: number, of = [eip, eip6]): Promise<readonly string[]> => {
    const all: string[] = [];
    for await (const heard of fixture.there.heard(late())) {
      for (const { kind, ip, mac } of heard) if (of.includes(ip)) all.push(`${kind} ${ip} ${mac}`);
      if (all.length >= count) return all;
    }
    throw new Error(`too late, heard only ${all.join('; ')}`);
  };

  it('asks for an address of either family without claiming it', async () => {
    const { here, there, hereLink, thereLink, hereMac } = fixture;
    there.bind(thereLink);
    expect(here.bind(hereLink)).to.equal(hereMac);
    await here.probe([eip, eip6]);
    expect([...(await hears(2))].sort()).to.deep.equal([
      `probe ${eip} ${hereMac}`,
      `probe ${eip6} ${hereMac}`,
    ]);
  });

  it('tells all hosts where an address is', async () => {
    const { here, there, hereLink, thereLink, hereMac } = fixture;
    there.bind(thereLink);
    here.bind(hereLink);
    await here.announce([eip, eip6]);
    expect([...(await hears(2))].sort()).to.deep.equal([
      `claim ${eip} ${hereMac}`,
      `claim ${eip6} ${hereMac}`,
    ]);
  });

  it('wakes who waits, and hears nothing of what it says itself', async () => {
    const { here, there, hereLink, thereLink, hereMac } = fixture;
    there.bind(thereLink);
    here.bind(hereLink);
    const waiting = hears(1, [eip]);
    await there.announce([eip]);
    await here.announce([eip]);
    expect(await waiting).to.deep.equal([`claim ${eip} ${hereMac}`]);
  });

  it('carries a thousand at once', async () => {
    const { here, there, hereLink, thereLink } = fixture;
    there.bind(thereLink);
    here.bind(hereLink);
    const many = Array.from({ length: 1000 }, (_, i) => parseIp(`198.51.${100 + (i >> 8)}.${i & 255}`));
    const [all] = await Promise.all([hears(1000, many), here.announce(many)]);
    expect(new Set(all).size).to.equal(1000);
  });

  it('refuses to speak before it has an interface', async () => {
    const error = await fixture.here.probe([eip]).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).to.be.instanceOf(KernelError);
  });
}
