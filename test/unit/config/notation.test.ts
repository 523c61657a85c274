import { expect } from 'chai';
import fc from 'fast-check';
import type { GatewayConfig, Source } from '../../../src/config/config.ts';
import { problemLine } from '../../../src/config/config-problem.ts';
import { duration, durationText } from '../../../src/config/format.ts';
import { readGatewayConfig } from '../../../src/config/load.ts';
import { changedKeys, nestedNotation, printYaml } from '../../../src/config/notation.ts';
import { parseIp, parsePrefix } from '../../../src/model/ip.ts';

const name = fc
  .stringMatching(/^[a-z][a-z0-9.]{0,13}[a-z0-9]$/)
  .filter((text) => text !== 'all' && text !== 'default');
const path = fc.stringMatching(/^\/[a-zA-Z0-9 #:'"é{}&*!|>%@-]{1,20}[a-z]$/);
const seconds = (most: number): fc.Arbitrary<number> => fc.integer({ min: 0, max: most });
const ms = (least: number, most: number): fc.Arbitrary<number> => fc.integer({ min: least, max: most });

const source: fc.Arbitrary<Source> = fc.oneof(
  fc.record({
    kind: fc.constant('kubernetes' as const),
    kubeconfig: fc.option(path, { nil: undefined }),
    context: fc.option(fc.constantFrom('prod', 'true', '7', 'a: b', '# no'), { nil: undefined }),
  }),
  fc.record({ kind: fc.constant('file' as const), path }),
);

// Disjoint by construction: one /24 each of the documentation range's neighbourhood, and one IPv6 network.
const pools = fc
  .uniqueArray(fc.integer({ min: 0, max: 255 }), { minLength: 1, maxLength: 4 })
  .map((numbers) =>
    numbers.map((number, i) => ({
      name: `pool-${i}`,
      addresses: [parsePrefix(`10.0.${number}.0/24`), parsePrefix(`2001:db8:${number.toString(16)}::/64`)],
    })),
  );

const publish = fc.record({
  configMap: fc.constantFrom({ namespace: 'kube-system', name: 'eiproute' }, { namespace: 'a', name: 'b.c' }),
  name: fc.option(fc.constantFrom('gw1', '7', 'a_b.c'), { nil: undefined }),
  lan: fc.constantFrom([], [parseIp('10.0.0.1')], [parseIp('10.0.0.1'), parseIp('2001:db8:10::1')]),
});

const config: fc.Arbitrary<GatewayConfig> = fc.record({
  gateway: fc.record({
    lan: name,
    uplink: name,
    defaultRoutes: fc.constantFrom(
      [],
      [parseIp('203.0.113.1')],
      [parseIp('fe80::1')],
      [parseIp('203.0.113.1'), parseIp('2001:db8:ffff::1')],
    ),
    pools,
    protocol: fc.constantFrom(5, 86, 255),
    table: fc.integer({ min: 1, max: 4_294_967_295 }).filter((table) => table !== 255),
    weighByEndpoints: fc.boolean(),
    resilience: fc.option(
      fc.record({
        buckets: fc.integer({ min: 1, max: 65_535 }),
        idleTimer: seconds(86_400),
        unbalancedTimer: seconds(86_400),
      }),
      { nil: undefined },
    ),
    hash: fc.constantFrom('addresses', 'ports'),
    segmentSize: fc.option(fc.integer({ min: 1, max: 65_535 }), { nil: undefined }),
    nexthopCompat: fc.boolean(),
    neighbour: fc.record({
      reachableMs: ms(5, 180_000).map((ticks) => ticks * 20),
      delaySeconds: seconds(60),
      retransMs: ms(1, 3000).map((ticks) => ticks * 20),
    }),
  }),
  source,
  publish: fc.option(publish, { nil: undefined }),
  stateDirectory: path,
  runtimeDirectory: path,
  pace: fc.record({
    settle: ms(0, 10_000),
    resync: ms(1000, 86_400_000),
    retryFirst: ms(10, 100),
    retryLongest: ms(100, 3_600_000),
  }),
  limits: fc.record({
    share: fc.double({ min: 0, max: 1, noNaN: true }).map(Math.abs),
    window: ms(0, 86_400_000),
    always: fc.integer({ min: 0, max: 1_000_000 }),
    hold: ms(0, 86_400_000),
  }),
  probe: fc.record({
    share: fc.double({ min: 0, max: 1, noNaN: true }).map(Math.abs),
    wait: ms(0, 60_000),
    proxyPort: fc.integer({ min: 0, max: 65_535 }),
    kubeletPort: fc.integer({ min: 0, max: 65_535 }),
    drainLimit: ms(0, 86_400_000),
    cordon: fc.constantFrom('drains', 'ignored'),
  }),
  metrics: fc.option(
    fc.record({
      host: fc.constantFrom(parseIp('127.0.0.1'), parseIp('::1'), parseIp('2001:db8::7')),
      port: fc.integer({ min: 1, max: 65_535 }),
    }),
    { nil: undefined },
  ),
  logLevel: fc.constantFrom('debug', 'info', 'warn', 'error'),
  logFormat: fc.constantFrom('auto', 'pretty', 'json'),
});

function read(text: string, folder: string): GatewayConfig {
  const request = { file: `${folder}/gw.yaml`, env: {}, flags: [], cwd: '/' };
  const result = readGatewayConfig(Buffer.from(text), request);
  if (result.kind === 'refused') throw new Error(`${result.errors.map(problemLine).join('\n')}\n${text}`);
  return result.config;
}

describe('a printed configuration', () => {
  it('reads back as the same, from any folder, with and without origins', () => {
    fc.assert(
      fc.property(config, (before) => {
        const origins = new Map([
          ['pools', { kind: 'flag', flag: '--x' }],
          ['lan', { kind: 'default' }],
          ['defaultRoute.via', { kind: 'environment', variable: 'EIPROUTE_X' }],
          ['log.level', { kind: 'file', file: 'a#b', at: { line: 1, column: 2 } }],
        ] as const);
        expect(read(printYaml(before), '/somewhere')).to.deep.equal(before);
        expect(read(printYaml(before, origins), '/else')).to.deep.equal(before);
        expect(read(JSON.stringify(nestedNotation(before)), '/')).to.deep.equal(before);
      }),
      { numRuns: 100 },
    );
  });
});

describe('changedKeys', () => {
  const good = 'lan: eth0\nuplink: eth1\npools: [ { name: public, addresses: [198.51.100.0/24] } ]\n';

  it('names the keys of a new file that differ, as they are written', () => {
    const before = read(`${good}resilient: true\nkubeconfig: /a\n`, '/');
    const after = read(
      `${good.replace('198.51.100.0/24', '198.51.100.0/25')}source: { file: /b }\nlog: { level: warn }\nprotocol: 86\n`,
      '/',
    );
    expect(changedKeys(before, after)).to.deep.equal([
      'kubeconfig',
      'pools',
      'resilient.enabled',
      'resilient.buckets',
      'resilient.idleTimer',
      'resilient.unbalancedTimer',
      'log.level',
      'source.file',
    ]);
  });

  it('is empty for two ways to write the same', () => {
    const ranges = good.replace('198.51.100.0/24', '198.51.100.0-198.51.100.255');
    expect(
      changedKeys(read(good, '/'), read(`${ranges}neighbour: { firstProbe: 0ms }\n`, '/')),
    ).to.deep.equal([]);
  });
});

describe('a time', () => {
  it('is written in the largest unit that shows it whole', () => {
    const texts = [0, 1, 250, 1000, 1500, 90_000, 60_000, 3_600_000, 5_400_000].map(durationText);
    expect(texts).to.deep.equal(['0s', '1ms', '250ms', '1s', '1500ms', '90s', '1m', '1h', '90m']);
  });

  it('reads back as it was written', () => {
    const any = duration(0, 1e9);
    fc.assert(fc.property(ms(0, 1e9), (time) => any.fromText(durationText(time)) === time));
  });

  it('may have a fraction that is whole in milliseconds', () => {
    const any = duration(0, 1e9);
    expect(any.fromText('1.1h')).to.equal(3_960_000);
    expect(any.fromText('0.25s')).to.equal(250);
    expect(() => any.fromText('0.5ms')).to.throw(RangeError, 'must be whole milliseconds, not 0.5ms');
  });
});
