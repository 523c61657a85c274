import { expect } from 'chai';
import { paths } from '../../../src/desire/paths.ts';
import { allocatedText } from '../../../src/model/allocated-condition.ts';
import type { AllocationRequest, Service } from '../../../src/model/cluster.ts';
import type { Gateway, Pool } from '../../../src/model/gateway.ts';
import { parseIp } from '../../../src/model/ip.ts';
import { gateway, request, service, snapshot, threeNodes } from '../../scene.ts';
import { allocation, pool, port } from '../ipam/fake-cluster.ts';

const A = parseIp('198.51.100.1');
const open = pool('open', ['198.51.100.0/30']);
const mine = pool('mine', ['192.0.2.0/30'], { namespaces: ['default'], serviceSelector: { tier: 'public' } });

function claiming(
  name: string,
  ip: string,
  how: Partial<AllocationRequest> = {},
  rest: Partial<Service> = {},
): Service {
  return service(name, [], { type: 'ClusterIP', externalIps: [parseIp(ip)], request: request(how), ...rest });
}

/** Who is routed where, and what is said of the others. */
function routed(
  services: readonly Service[],
  pools: readonly Pool[],
  rest: Partial<Gateway> = {},
): readonly string[] {
  const settings = gateway({ pools, ...rest });
  const { paths: found, idle, problems } = paths(snapshot(threeNodes, services), settings);
  const short = (names: readonly string[]) => names.map((name) => name.replace('default/', '')).join('+');
  return [
    ...[...found, ...idle].map((path) => `${path.eip} ${short(path.services)}`),
    ...problems.map(({ code, service: name }) => `${code} ${name}`),
  ];
}

describe('claims', () => {
  const labels = { tier: 'public' };

  it('by spec.externalIPs are good where the pool lets the Service in', () => {
    const services = [
      claiming('a', '192.0.2.1', { labels }),
      claiming('b', '192.0.2.2'),
      claiming('c', '192.0.2.3', { labels }, { namespace: 'other' }),
    ];
    const want = ['192.0.2.1 a', 'eip-not-allowed default/b', 'eip-not-allowed other/c'];
    expect(routed(services, [mine])).to.deep.equal(want);
    expect(routed(services, [mine], { allocation })).to.deep.equal(want);
  });

  it('are evaluated again when a label changes', () => {
    const settings = gateway({ pools: [mine] });
    const before = claiming('a', '192.0.2.1');
    const after = { ...before, request: request({ labels }) };
    expect(paths(snapshot(threeNodes, [before]), settings).paths).to.have.length(0);
    expect(paths(snapshot(threeNodes, [after]), settings).paths).to.have.length(1);
  });

  it('by spec.externalIPs take nothing from who has it in its status', () => {
    const holder = service('web', [A], { request: request({ created: 9 }) });
    const thief = claiming('evil', A, { created: 1 }, { namespace: 'other' });
    expect(routed([holder, thief], [open], { allocation })).to.deep.equal([
      `${A} web`,
      'eip-held-by-another other/evil',
    ]);
    const [path] = paths(snapshot(threeNodes, [holder, thief]), gateway({ pools: [open], allocation })).paths;
    expect(path?.services).to.deep.equal(['default/web']);
  });

  it('of two by spec.externalIPs are the older one’s', () => {
    const services = [claiming('a', A, { created: 2 }), claiming('b', A, { created: 1 })];
    expect(routed(services, [open], { allocation })).to.deep.equal([
      `${A} b`,
      'eip-held-by-another default/a',
    ]);
  });

  it('are shared by those who have the same key', () => {
    const annotations = { 'eiproute.io/sharing-key': 'k' };
    const services = [
      service('web', [A], { ...port(80), request: request({ annotations }) }),
      claiming('dns', A, { annotations }, port(53)),
    ];
    expect(routed(services, [open], { allocation })).to.deep.equal([`${A} dns+web`]);
  });

  it('without an allocation are shared by all, as the program that gives addresses has decided', () => {
    expect(routed([service('web', [A]), claiming('b', A, {}, port(53))], [open])).to.deep.equal([
      `${A} b+web`,
    ]);
  });

  describe('of two Services on one address and port', () => {
    const told = (services: readonly Service[]) =>
      paths(snapshot(threeNodes, services), gateway({ pools: [open] })).problems.map(
        ({ code, severity, subject }) => `${severity} ${code} ${subject}`,
      );

    it('are told of, with both names', () => {
      const services = [service('web0', [A]), service('dup', [A])];
      expect(told(services)).to.deep.equal([`error eip-port-twice ${A} TCP/80`]);
      const [problem] = paths(snapshot(threeNodes, services), gateway({ pools: [open] })).problems;
      expect(problem?.message).to.match(
        /^Services default\/dup and default\/web0 hold 198.51.100.1 with the same port TCP\/80/,
      );
    });

    it('are told once, with all of their ports', () => {
      const ports = [80, 443].map((port) => ({
        name: `p${port}`,
        protocol: 'TCP' as const,
        port,
        nodePort: undefined,
      }));
      const services = [service('web0', [A], { ports }), service('dup', [A], { ports })];
      expect(told(services)).to.deep.equal([`error eip-port-twice ${A} TCP/443, TCP/80`]);
    });

    it('are no fault of the gateway when one of them is of a spec', () => {
      expect(told([service('web', [A]), claiming('b', A)])).to.deep.equal([
        `warn eip-port-twice ${A} TCP/80`,
      ]);
    });

    it('are none with other ports or protocols', () => {
      const services = [service('a', [A]), service('b', [A], port(81)), service('c', [A], port(80, 'UDP'))];
      expect(told(services)).to.deep.equal([]);
    });
  });

  describe('on an address of no pool', () => {
    const given = (enforce: boolean) =>
      request({
        conditions: [
          {
            type: 'eiproute.io/Allocated',
            status: 'True',
            reason: 'Allocated',
            message: allocatedText({ ips: [parseIp('203.0.113.7')], pool: 'old', enforce }),
            lastTransitionTime: '',
          },
        ],
      });
    const cases: readonly (readonly [name: string, one: Service, rest: Partial<Gateway>, good: boolean])[] = [
      [
        'that we gave are good',
        service('a', ['203.0.113.7'], { request: given(false) }),
        { allocation },
        true,
      ],
      [
        'that the pool takes back are not',
        service('a', ['203.0.113.7'], { request: given(true) }),
        { allocation },
        false,
      ],
      ['that we did not give are not', service('a', ['203.0.113.7']), { allocation }, false],
      ['are not, without an allocation', service('a', ['203.0.113.7'], { request: given(false) }), {}, false],
      ['by spec.externalIPs never are', claiming('a', '203.0.113.7', given(false)), { allocation }, false],
    ];
    for (const [name, one, rest, good] of cases) {
      it(name, () => {
        expect(routed([one], [open], rest)).to.deep.equal([
          good ? '203.0.113.7 a' : 'eip-outside-pools default/a',
        ]);
      });
    }
  });

  it('on addresses of nodes, from a pool of them, need no route and no word', () => {
    const nodes = pool('nodes', [], { nodeAddresses: true });
    const conditions = [
      {
        type: 'eiproute.io/Allocated',
        status: 'True' as const,
        reason: 'Allocated',
        message: allocatedText({ ips: [parseIp('10.0.0.11')], pool: 'nodes', enforce: false }),
        lastTransitionTime: '',
      },
    ];
    const one = service('a', ['10.0.0.11'], { request: request({ conditions }) });
    expect(routed([one], [open, nodes], { allocation })).to.deep.equal([]);
  });
});
