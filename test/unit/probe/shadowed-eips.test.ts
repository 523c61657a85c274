import { expect } from 'chai';
import { KernelError } from '../../../src/kernel/kernel.ts';
import type { Lookup, LookupPort, Question, TableRule } from '../../../src/kernel/lookup-port.ts';
import type { Gateway } from '../../../src/model/gateway.ts';
import {
  family,
  hostPrefix,
  type Ip,
  ipFromNumber,
  ipNumber,
  parseIp,
  parsePrefix,
} from '../../../src/model/ip.ts';
import type { Link, Route } from '../../../src/model/object.ts';
import { ShadowedEips } from '../../../src/probe/shadowed-eips.ts';
import { gateway, twoLinks } from '../../scene.ts';
import { until } from './until.ts';

const eip = parseIp('198.51.100.10');
const other = parseIp('198.51.100.11');
const sixth = parseIp('2001:db8:e::10');
const prohibit: Lookup = { kind: 'refused', code: 'EACCES' };

function own(dst: Ip, rest: Partial<Route> = {}): Lookup {
  const metric = family(dst) === 6 ? 1024 : 0;
  const route: Route = {
    kind: 'route',
    table: 254,
    dst: hostPrefix(dst),
    metric,
    protocol: 86,
    type: 'unicast',
    nhid: 260_000_001,
    hops: [],
    src: undefined,
    ...rest,
  };
  return { kind: 'route', route };
}

function foreign(dst: Ip, rest: Partial<Route> = {}): Lookup {
  const hops = [{ via: parseIp('10.0.0.12'), link: 2, weight: 1 }];
  return own(dst, { protocol: 4, nhid: undefined, hops, ...rest });
}

class FakeLookups implements LookupPort {
  readonly asked: Question[] = [];
  readonly answers = new Map<Ip, Lookup>();
  /** Called while a batch is on its way. */
  meanwhile = (): void => {};
  rulesFound: readonly TableRule[] = [];
  error: KernelError | undefined;
  /** Of what the gateway sends to itself, from a client. */
  control: Lookup = own(parseIp('203.0.113.1'), { type: 'local' });
  /** Clients that the kernel takes no packet of. */
  readonly refused = new Set<string>();

  async ask(questions: readonly Question[]): Promise<readonly Lookup[]> {
    if (this.error) throw this.error;
    const control = (from: string): Lookup => (this.refused.has(from) ? prohibit : this.control);
    const found = questions.map(({ dst, from = '' }) =>
      dst === '203.0.113.1' ? control(from) : (this.answers.get(dst) ?? own(dst)),
    );
    this.asked.push(...questions.filter(({ dst }) => dst !== '203.0.113.1'));
    await Promise.resolve();
    if (questions.some(({ dst }) => dst !== '203.0.113.1')) this.meanwhile();
    return found;
  }

  async rules(): Promise<readonly TableRule[]> {
    return this.rulesFound;
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

interface Options {
  readonly settings?: Partial<Gateway>;
  readonly eips?: readonly Ip[];
  readonly links?: readonly Link[];
}

class Bench implements AsyncDisposable {
  readonly port = new FakeLookups();
  readonly routed: Set<Ip>;
  readonly doubts: Ip[] = [];
  changes = 0;
  looks = 0;
  links: readonly Link[];
  readonly shadowed: ShadowedEips;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  constructor({ settings, eips = [eip, other, sixth], links = twoLinks }: Options = {}) {
    this.routed = new Set(eips);
    this.links = links;
    const settled = gateway(settings);
    this.shadowed = new ShadowedEips({
      port: this.port,
      gateway: () => settled,
      links: () => this.links,
      names: (index) => `eth${index - 2}`,
      routed: () => this.routed,
      isRouted: (one) => this.routed.has(one),
      doubted: (one) => this.doubts.push(one),
      changed: () => {
        this.changes += 1;
      },
      looked: () => {
        this.looks += 1;
      },
    });
    this.#running = this.shadowed.run(this.#stop.signal);
  }

  /** A round with a dump. */
  round(isDue = true, dumped = true): void {
    this.shadowed.rounding();
    this.shadowed.rounded({ dumped, isDue });
  }

  /** A round with a dump after which all is asked, to the end of the look. */
  async looked(isDue = true): Promise<void> {
    const before = this.looks;
    this.round(isDue);
    await until('it has looked', () => this.looks > before);
  }

  get messages(): readonly string[] {
    return this.shadowed.problems.map(({ message }) => message);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }
}

describe('EIPs whose route is there and is not taken', () => {
  it('are none where the kernel takes our routes', async () => {
    await using bench = new Bench();
    await bench.looked();
    expect(bench.port.asked.map(({ dst }) => dst)).to.deep.equal([eip, other, sixth]);
    expect(bench.port.asked[0]).to.deep.include({ iif: 3, from: '9.9.9.9' });
    expect(bench.port.asked[2]).to.deep.include({ iif: 3, from: '2620:fe::fe' });
    expect(bench.shadowed.problems).to.deep.equal([]);
    expect(bench.doubts).to.deep.equal([]);
  });

  it('are told of after a second answer, with a dump between', async () => {
    await using bench = new Bench();
    bench.port.answers.set(eip, prohibit).set(other, prohibit);
    bench.routed.delete(eip);
    bench.routed.add(eip);
    await bench.looked();
    expect(bench.messages).to.deep.equal([]);
    expect(bench.doubts).to.have.length(1);
    await bench.looked(false);
    // Those that were found, and no other.
    expect(bench.port.asked.slice(3).map(({ dst }) => dst)).to.deep.equal([other, eip]);
    expect(bench.messages).to.deep.equal([
      "198.51.100.10, 198.51.100.11: the kernel refuses the packets (EACCES: a rule or a route says prohibit) instead of eiproute's route, which is in the kernel",
    ]);
    expect(bench.shadowed.problems[0]).to.deep.include({
      code: 'eip-shadowed',
      severity: 'error',
      subject: 'IPv4 EACCES',
    });
    expect(bench.shadowed.count).to.equal(2);
    bench.port.answers.clear();
    await bench.looked(false);
    expect(bench.messages).to.deep.equal([]);
    expect(bench.changes).to.equal(2);
    expect(bench.doubts).to.have.length(1);
  });

  it('are not told of when another program took our route away, and the dump shows it', async () => {
    await using bench = new Bench();
    bench.port.answers.set(eip, foreign(eip));
    await bench.looked();
    bench.routed.delete(eip);
    await bench.looked(false);
    expect(bench.messages).to.deep.equal([]);
    // Put back by a round, it is as new.
    bench.routed.add(eip);
    await bench.looked();
    expect(bench.messages).to.deep.equal([]);
  });

  it('are asked for anew when a round came in between', async () => {
    await using bench = new Bench({ eips: [eip] });
    bench.port.answers.set(eip, prohibit);
    let times = 0;
    bench.port.meanwhile = () => {
      times += 1;
      if (times > 1) return;
      bench.shadowed.rounding();
      bench.port.answers.clear();
      setImmediate(() => bench.shadowed.rounded({ dumped: false, isDue: false }));
    };
    await bench.looked();
    expect(times).to.equal(2);
    expect(bench.doubts).to.deep.equal([]);
  });

  it('are not told of after a dump that came before the first answer', async () => {
    await using bench = new Bench({ eips: [eip] });
    bench.port.answers.set(eip, prohibit);
    let times = 0;
    bench.port.meanwhile = () => {
      times += 1;
      if (times === 1) bench.round();
    };
    await bench.looked();
    // That of the round which came in between.
    await until('it has looked again', () => bench.looks === 2);
    expect(bench.messages).to.deep.equal([]);
    await bench.looked(false);
    expect(bench.messages).to.have.length(1);
  });

  it('are asked for between rounds alone', async () => {
    await using bench = new Bench();
    bench.round();
    bench.shadowed.rounding();
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    expect(bench.port.asked).to.deep.equal([]);
    await bench.looked();
    expect(bench.port.asked).to.have.length.at.least(3);
  });

  const answers: readonly { name: string; of: Ip; answer: Lookup; told: RegExp | undefined }[] = [
    {
      name: 'another protocol',
      of: eip,
      answer: foreign(eip),
      told: /takes "198\.51\.100\.10 via 10\.0\.0\.12 dev eth0 proto 4" instead/,
    },
    {
      name: 'a metric that wins',
      of: sixth,
      answer: foreign(sixth, { metric: 10 }),
      told: /proto 4 metric 10"/,
    },
    { name: 'another table', of: eip, answer: foreign(eip, { table: 200 }), told: /table 200 proto 4"/ },
    {
      name: 'the announce table',
      of: eip,
      answer: own(eip, { table: 86, type: 'blackhole', nhid: undefined }),
      told: /takes "blackhole 198/,
    },
    {
      name: 'an address of this gateway',
      of: eip,
      answer: foreign(eip, { type: 'local', table: 255 }),
      told: /takes "local 198/,
    },
    {
      name: 'unreachable',
      of: sixth,
      answer: { kind: 'refused', code: 'ENETUNREACH' },
      told: /ENETUNREACH: there is no route/,
    },
    {
      name: 'a copy of another EIP over our nexthop',
      of: sixth,
      answer: own(parseIp('2001:db8:e::99')),
      told: undefined,
    },
    {
      name: 'a foreign route as the copy over our nexthop',
      of: sixth,
      answer: own(sixth, { protocol: 4 }),
      told: undefined,
    },
    { name: 'a route without a name', of: sixth, answer: { kind: 'unnamed' }, told: undefined },
    {
      name: 'another group of ours, which a round has just chosen',
      of: eip,
      answer: own(eip, { nhid: 260_000_009 }),
      told: undefined,
    },
  ];
  for (const { name, of, answer, told } of answers)
    it(`are ${told === undefined ? 'not ' : ''}told of with ${name}`, async () => {
      await using bench = new Bench();
      bench.port.answers.set(of, answer);
      await bench.looked();
      await bench.looked();
      if (told === undefined) expect(bench.messages).to.deep.equal([]);
      else expect(bench.messages[0]).to.match(told);
      expect(bench.messages).to.have.length(told === undefined ? 0 : 1);
    });

  it('are not asked for while an interface is down, which is told by others', async () => {
    const [lan, uplink] = twoLinks;
    for (const links of [[lan], [{ ...lan, up: false }, uplink], [lan, { ...uplink, carrier: false }]]) {
      await using bench = new Bench({ links });
      bench.port.answers.set(eip, prohibit);
      await bench.looked();
      expect(bench.port.asked).to.deep.equal([]);
    }
  });

  describe('with a table of its own', () => {
    const settings = { table: 100 };
    const rules: readonly {
      name: string;
      rules: readonly TableRule[];
      asked: object | undefined;
      why?: string;
    }[] = [
      {
        name: 'by a rule with a mark',
        rules: [{ table: 100, mark: 7, isSelective: false }],
        asked: { iif: 3, mark: 7 },
      },
      {
        name: 'by a rule without one',
        rules: [
          { table: 100, mark: undefined, isSelective: false },
          { table: 100, mark: undefined, isSelective: false },
        ],
        asked: { iif: 3, mark: undefined },
      },
      {
        name: 'not by rules with several marks',
        rules: [
          { table: 100, mark: 7, isSelective: false },
          { table: 100, mark: undefined, isSelective: false },
        ],
        asked: undefined,
        why: 'the rules that look up table 100 differ in their marks',
      },
      { name: 'without a rule', rules: [], asked: { iif: 3, mark: undefined } },
      {
        name: 'not by rules that go by a source',
        rules: [{ table: 100, mark: undefined, isSelective: true }],
        asked: undefined,
        why: 'the rules that look up table 100 go by more than interface, mark and destination',
      },
    ];
    for (const { name, rules: found, asked, why } of rules)
      it(`are asked for ${name}`, async () => {
        await using bench = new Bench({ settings, eips: [eip] });
        bench.port.rulesFound = found;
        bench.port.answers.set(eip, own(eip, { table: 100 }));
        await bench.looked();
        if (asked === undefined) expect(bench.port.asked).to.deep.equal([]);
        else expect(bench.port.asked[0]).to.deep.include(asked);
        expect(bench.doubts).to.deep.equal([]);
        // Of the family that has EIPs alone.
        expect(bench.shadowed.notes).to.deep.equal(why === undefined ? [] : [{ family: 4, why }]);
      });
  });

  it('are told of no more where the question can no longer be asked', async () => {
    await using bench = new Bench({ settings: { table: 100 }, eips: [eip] });
    bench.port.answers.set(eip, prohibit);
    await bench.looked();
    await bench.looked();
    expect(bench.messages).to.have.length(1);
    bench.port.rulesFound = [{ table: 100, mark: undefined, isSelective: true }];
    await bench.looked();
    expect(bench.messages).to.deep.equal([]);
  });

  it('are told of no more while an interface is down', async () => {
    await using bench = new Bench();
    bench.port.answers.set(eip, prohibit);
    await bench.looked();
    await bench.looked();
    bench.links = twoLinks.map((link) => ({ ...link, carrier: false }));
    await bench.looked();
    expect(bench.messages).to.deep.equal([]);
  });

  const clients = [
    { refused: [], from: '9.9.9.9' },
    { refused: ['9.9.9.9'], from: '1.1.1.1' },
    { refused: ['9.9.9.9', '1.1.1.1'], from: '203.0.113.3' },
    { refused: ['9.9.9.9', '1.1.1.1'], defaultRoute: '203.0.113.254', from: '203.0.113.254' },
    { refused: ['9.9.9.9', '1.1.1.1'], pool: '203.0.113.3/32', from: '203.0.113.2' },
    { refused: [], pool: '9.0.0.0/8', from: '1.1.1.1' },
  ];
  for (const { refused, defaultRoute, pool, from } of clients)
    it(`are asked for as from ${from}, where ${refused.join(' and ') || 'none'} is refused${pool ? ` and ${pool} is a pool` : ''}`, async () => {
      const settings = {
        ...(defaultRoute && { defaultRoutes: [parseIp(defaultRoute)] }),
        ...(pool && { pools: [{ name: 'p', addresses: [parsePrefix(pool)] }] }),
      };
      await using bench = new Bench({ settings, eips: [eip] });
      for (const one of refused) bench.port.refused.add(one);
      await bench.looked();
      expect(bench.port.asked[0]).to.deep.include({ iif: 3, from });
    });

  it('are told of as not known until all were asked for again', async () => {
    await using bench = new Bench();
    bench.port.control = prohibit;
    bench.port.answers.set(eip, prohibit).set(sixth, prohibit);
    await bench.looked();
    await bench.looked();
    expect(bench.messages).to.have.length(2);
    const { changes } = bench;
    await bench.looked(false);
    expect([bench.messages.length, bench.changes]).to.deep.equal([2, changes]);
    bench.port.answers.clear();
    await bench.looked();
    expect(bench.messages).to.deep.equal([]);
  });

  it('are looked for once in a second when rules and routes change all the time, and a dump decides', async () => {
    await using bench = new Bench();
    await bench.looked();
    bench.port.answers.set(eip, prohibit);
    bench.port.asked.length = 0;
    for (const looks of [2, 3]) {
      for (let i = 0; i < 100; i += 1) bench.shadowed.othersChanged();
      await until('it has looked again', () => bench.looks === looks);
    }
    expect(bench.port.asked.map(({ dst }) => dst)).to.deep.equal([eip, other, sixth, eip, other, sixth]);
    expect(bench.doubts).to.deep.equal([eip, eip]);
    expect(bench.messages).to.deep.equal([]);
    await bench.looked(false);
    expect(bench.messages).to.have.length(1);
  });

  it('are told of as not known where the kernel takes no client and has another route for this host', async () => {
    await using bench = new Bench({ eips: [eip] });
    bench.port.control = { kind: 'refused', code: 'EXDEV' };
    await bench.looked();
    expect(bench.port.asked[0]).to.deep.equal({ dst: eip, mark: undefined });
    expect(bench.messages).to.deep.equal([]);
    bench.port.answers.set(eip, foreign(eip));
    await bench.looked();
    expect(bench.messages[0]).to.match(/^whether the kernel takes eiproute's routes is not known: for IPv4/);
  });

  it('are told of as not known while the kernel cannot be asked', async () => {
    await using bench = new Bench();
    bench.port.error = new KernelError('ENOBUFS', '');
    await bench.looked();
    expect(bench.shadowed.problems[0]).to.deep.include({ code: 'route-lookup', severity: 'warn' });
    bench.port.error = undefined;
    await bench.looked();
    expect(bench.messages).to.deep.equal([]);
  });

  it('have their turn after several dumps, where there are many', async () => {
    const first = ipNumber(parseIp('10.1.0.0'));
    const eips = Array.from({ length: 45_000 }, (_, i) => ipFromNumber(first + BigInt(i), 4));
    await using bench = new Bench({ eips });
    const counts: number[] = [];
    const notes: string[] = [];
    for (let pass = 0; pass < 4; pass += 1) {
      const before = bench.port.asked.length;
      await bench.looked();
      counts.push(bench.port.asked.length - before);
      notes.push(...bench.shadowed.notes.map(({ why }) => why));
    }
    expect(counts).to.deep.equal([20_000, 20_000, 5000, 20_000]);
    expect(notes).to.deep.equal(
      Array(4).fill('there are more than 20000: so many are asked for at each resync, in turn'),
    );
    expect(new Set(bench.port.asked.map(({ dst }) => dst)).size).to.equal(45_000);
  });
});
