import { expect } from 'chai';
import { routingDaemonChecks } from '../../../src/explain/checks/routing-daemon.ts';
import type {
  BgpSession,
  DoctorFacts,
  FamilyRoutes,
  RoutingAnswer,
  RoutingDaemon,
} from '../../../src/explain/doctor-facts.ts';
import { birdProtocols, frrCount, frrSessions } from '../../../src/explain/routing-answers.ts';
import type { Family } from '../../../src/model/ip.ts';
import { gateway } from '../../scene.ts';

const announcing = gateway({ announce: { table: 86, active: [] } });
const silentGateway = gateway({});
const up: BgpSession = { name: 'up4', state: 'Established' };
const down: BgpSession = { name: 'up6', state: 'Active' };

function routes(family: Family, has: number, least: number, most = least): FamilyRoutes {
  return { family, has, should: { least, most } };
}

function tells(families: readonly FamilyRoutes[], ...sessions: readonly BgpSession[]): RoutingAnswer {
  return { kind: 'tells', families, sessions };
}

function found(
  asked: readonly (readonly [RoutingDaemon, RoutingAnswer])[],
  of = announcing,
): readonly string[] {
  const routingDaemons: DoctorFacts['routingDaemons'] = {
    kind: 'asked',
    asked: asked.map(([daemon, answer]) => ({ daemon, answer })),
  };
  return routingDaemonChecks({ routingDaemons } as DoctorFacts, of).map(({ state, finding, advice }) => {
    expect(advice !== undefined, 'what to do').to.equal(state !== 'ok');
    return `${state} ${finding}`;
  });
}

describe('the check of the routing daemon', () => {
  it('is content with as many routes as there are to announce', () => {
    expect(found([['BIRD', tells([routes(4, 70, 70), routes(6, 3, 3)], up)]])).to.deep.equal([
      'ok BIRD has all 73 routes of table 86; established: up4',
    ]);
    expect(found([['FRR', tells([routes(4, 70, 70)])]], silentGateway)).to.deep.equal([
      'ok FRR has all 70 routes of EIPs',
    ]);
  });

  it('takes what came or went while the daemon was asked for no fault', () => {
    for (const has of [70, 71, 72])
      expect(found([['BIRD', tells([routes(4, has, 70, 72)], up)]])[0]).to.match(/^ok /);
    for (const has of [69, 73])
      expect(found([['BIRD', tells([routes(4, has, 70, 72)], up)]])[0]).to.match(/^FAIL /);
  });

  it('fails where the daemon has fewer, or more', () => {
    expect(found([['BIRD', tells([routes(4, 54, 70), routes(6, 3, 3)], up)]])).to.deep.equal([
      'FAIL BIRD has 54 of 70 routes of table 86 (IPv4)',
    ]);
    expect(found([['FRR', tells([routes(4, 5, 5), routes(6, 9, 4)], up)]])).to.deep.equal([
      'FAIL FRR has 9 routes for 4 routes of EIPs (IPv6)',
    ]);
  });

  it('fails without a session that is established, and warns where one of them is not', () => {
    const all = [routes(4, 70, 70)];
    expect(found([['BIRD', tells(all, down)]])).to.deep.equal([
      'FAIL BIRD has all 70 routes of table 86; up6 is Active',
    ]);
    expect(found([['BIRD', tells(all, up, down)]])).to.deep.equal([
      'warn BIRD has all 70 routes of table 86; up6 is Active',
    ]);
  });

  it('says why a daemon was not asked', () => {
    expect(found([['BIRD', { kind: 'not permitted', why: 'w' }]])).to.deep.equal([
      '? BIRD may not be asked: w',
    ]);
    expect(found([['FRR', { kind: 'silent', why: 'w' }]])).to.deep.equal([
      '? FRR runs and does not answer: w',
    ]);
    const unread = { routingDaemons: { kind: 'not asked', why: 'the kernel cannot be read' } } as DoctorFacts;
    expect(routingDaemonChecks(unread, announcing)).to.have.nested.property('[0].state', '?');
    expect(routingDaemonChecks(unread, silentGateway)).to.deep.equal([]);
  });

  it('warns where nothing announces', () => {
    expect(found([])[0]).to.match(/^warn neither BIRD nor FRR runs in this network namespace/);
    expect(found([['FRR', { kind: 'not included' }]])).to.deep.equal([
      'warn FRR has nothing of what "eiproute frr" prints',
    ]);
  });

  it('asks nothing of a daemon that is here for something else', () => {
    const frr = ['FRR', { kind: 'not included' }] as const;
    expect(found([frr, ['BIRD', tells([routes(4, 1, 1)], up)]])).to.deep.equal([
      'ok BIRD has all 1 routes of table 86; established: up4',
    ]);
    expect(found([], silentGateway)).to.deep.equal([]);
    expect(found([frr, ['BIRD', { kind: 'silent', why: 'w' }]], silentGateway)).to.deep.equal([]);
  });
});

// As BIRD 2.0.12 prints it, with a kernel protocol that is down.
const protocols = `BIRD 2.0.12 ready.
Access restricted
Name       Proto      Table      State  Since         Info
device1    Device     ---        up     08:52:53.609  

eiproute4  Kernel     eip4       up     08:52:53.609  
  Channel ipv4
    State:          UP
    Table:          eip4
    Routes:         70 imported, 2 filtered, 0 exported, 70 preferred
    Route change stats:     received   rejected   filtered    ignored   accepted
      Import updates:             99          0          2          0         97

eiproute6  Kernel     ---        down   08:53:13.609  
  Channel ipv6
    State:          DOWN
    Table:          eip6

up4        BGP        ---        up     08:52:53.609  Established   
  BGP state:          Established
    Neighbor address: 203.0.113.254
  Channel ipv4
    State:          UP
    Routes:         7 imported, 70 exported, 7 preferred

up6        BGP        ---        start  08:52:53.609  Idle          
  BGP state:          Idle
`;

describe('what birdc prints', () => {
  it('tells the imported routes and the sessions', () => {
    expect(birdProtocols(protocols)).to.deep.equal({
      imported: { 4: 70, 6: 0 },
      sessions: [
        { name: 'up4', state: 'Established' },
        { name: 'up6', state: 'Idle' },
      ],
    });
  });

  it('tells of a BIRD without our include', () => {
    expect(birdProtocols(protocols.replaceAll('eiproute', 'kernel')).imported).to.equal(undefined);
  });
});

describe('what vtysh prints', () => {
  it('tells how many networks pass a route map', () => {
    const listing = `Origin codes:  i - IGP, e - EGP, ? - incomplete
RPKI validation codes: V valid, I invalid, N Not found

   Network          Next Hop            Metric LocPrf Weight Path
*> 198.51.100.7/32  10.0.0.11                0         32768 ?

Displayed  86511 routes and 86512 total paths
`;
    expect(frrCount(listing)).to.equal(86_511);
    expect(frrCount('')).to.equal(0);
    expect(frrCount('% EIP4 route-map not found\n')).to.equal(undefined);
  });

  it('tells the state of each neighbour once', () => {
    const peers = { '203.0.113.254': { state: 'Established' }, '2001:db8:1::254': { state: 'Idle' } };
    const summary = { ipv4Unicast: { peerCount: 2, peers }, ipv6Unicast: { peers } };
    expect(frrSessions(JSON.stringify(summary))).to.deep.equal([
      { name: '203.0.113.254', state: 'Established' },
      { name: '2001:db8:1::254', state: 'Idle' },
    ]);
    expect(frrSessions('% No BGP neighbors found\n')).to.deep.equal([]);
  });
});
