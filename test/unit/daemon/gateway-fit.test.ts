import { expect } from 'chai';
import fc from 'fast-check';
import { fitting } from '../../../src/daemon/gateway-fit.ts';
import type { PublishedGateway, PublishedGateways } from '../../../src/daemon/published.ts';
import { contains, type Ip, type Prefix, parseIp, parsePrefix } from '../../../src/model/ip.ts';

const networks = Array.from({ length: 6 }, (_, i) => parsePrefix(`10.0.${i}.0/24`));
const addresses = Array.from({ length: 6 }, (_, i) => parseIp(`10.0.${i}.1`));
/** The network of an interface: a pool in it cuts hosts off. */
const [lan] = networks as [Prefix];
/** Networks that a node takes. */
const room = 4;

function gateway(number: number, pools: readonly Prefix[], address: Ip): PublishedGateway {
  const publication = {
    id: String(number),
    pools: [{ name: 'public', networks: pools }],
    lan: [address],
    state: 'active' as const,
    draining: [],
    leaving: new Map(),
  };
  return { name: `gw${number}`, number, uid: 'u1', publication };
}

const anyGateways: fc.Arbitrary<PublishedGateways> = fc
  .uniqueArray(
    fc.record({
      number: fc.integer({ min: 1, max: 4 }),
      pools: fc.subarray(networks, { maxLength: 3 }),
      address: fc.constantFrom(...addresses),
    }),
    { selector: ({ number }) => number },
  )
  .map((all) =>
    all
      .map(({ number, pools, address }) => gateway(number, pools, address))
      .sort((a, b) => a.number - b.number),
  );

/** What is wrong with a node that has these, as a node judges it. */
function wrong(gateways: PublishedGateways): readonly string[] {
  const pools = new Set(
    gateways.flatMap(({ publication }) => publication.pools.flatMap((one) => one.networks)),
  );
  const gates = gateways.flatMap(({ publication }) => publication.lan);
  return [
    ...(pools.size > room ? [`${pools.size} networks`] : []),
    ...(pools.has(lan) ? [`${lan} is the LAN`] : []),
    ...gates.filter((ip) => [...pools].some((pool) => contains(pool, ip))).map((ip) => `${ip} is in a pool`),
  ];
}

const textOf = (one: PublishedGateway | undefined): string => JSON.stringify(one?.publication);
const named = (all: PublishedGateways, name: string) => all.find((one) => one.name === name);

describe('what a node takes of what the gateways publish', () => {
  it('has every gateway that it had, as it was or as it is published, and nothing wrong that was not before', () => {
    fc.assert(
      fc.property(anyGateways, anyGateways, (before, next) => {
        const { gateways, refused } = fitting(before, next, wrong);
        for (const one of next) {
          const [taken, known] = [named(gateways, one.name), named(before, one.name)];
          const isRefused = refused.some(({ name }) => name === one.name);
          expect(textOf(taken), one.name).to.equal(textOf(isRefused ? known : one));
        }
        expect(gateways.every(({ name }) => named(next, name) !== undefined)).to.equal(true);
        const stay = before.filter(({ name }) => named(next, name) !== undefined);
        expect(wrong(stay)).to.include.members([...wrong(gateways)].filter((one) => !/networks$/.test(one)));
        expect(refused.every(({ why }) => why.length > 0)).to.equal(true);
      }),
      { numRuns: 3000 },
    );
  });

  it('is all of it where all together makes nothing wrong', () => {
    fc.assert(
      fc.property(anyGateways, anyGateways, (before, next) => {
        fc.pre(wrong(next).length === 0);
        expect(fitting(before, next, wrong)).to.deep.equal({ gateways: next, refused: [] });
      }),
      { numRuns: 3000 },
    );
  });

  it('stays the same at the next look', () => {
    fc.assert(
      fc.property(anyGateways, anyGateways, (before, next) => {
        const first = fitting(before, next, wrong);
        expect(fitting(first.gateways, next, wrong)).to.deep.equal(first);
      }),
      { numRuns: 3000 },
    );
  });

  it('is what one takes back, whatever is wrong with the others', () => {
    fc.assert(
      fc.property(anyGateways, fc.nat(3), fc.subarray(networks), (before, at, less) => {
        const one = before[at % Math.max(1, before.length)];
        fc.pre(one !== undefined);
        const pools = one.publication.pools.flatMap((pool) => pool.networks);
        const left = pools.filter((network) => !less.includes(network));
        const [address] = one.publication.lan as [Ip];
        const next = before.map((same) => (same === one ? gateway(one.number, left, address) : same));
        const ofContent = (all: PublishedGateways) => wrong(all).filter((why) => !/networks$/.test(why));
        expect(fitting(before, next, ofContent)).to.deep.equal({ gateways: next, refused: [] });
      }),
      { numRuns: 3000 },
    );
  });
});
