import { expect } from 'chai';
import { feedFailure, requestTrouble } from '../../../src/cluster/failure.ts';
import { SilenceError } from '../../../src/cluster/silence.ts';
import { ApiError, UnreachableError } from '../../../src/cluster/transport.ts';

describe('a failure in words', () => {
  it('names every address that was tried', () => {
    const error = new AggregateError([
      new Error('connect ECONNREFUSED ::1:6443'),
      new Error('connect ECONNREFUSED 127.0.0.1:6443'),
    ]);
    expect(feedFailure(error, 'nodes', 'ready')).to.equal(
      'connect ECONNREFUSED ::1:6443, connect ECONNREFUSED 127.0.0.1:6443',
    );
  });

  it('goes down to the cause, and repeats nothing', () => {
    const cause = new Error('read ECONNRESET');
    expect(feedFailure(new Error('fetch failed', { cause }), 'nodes', 'ready')).to.equal(
      'fetch failed: read ECONNRESET',
    );
    expect(feedFailure(new Error('failed: read ECONNRESET', { cause }), 'nodes', 'ready')).to.equal(
      'failed: read ECONNRESET',
    );
  });

  it('names the group of the rule that is missing', () => {
    expect(feedFailure(new ApiError(403, 'no'), 'endpointslices', 'ready')).to.contain(
      'apiGroups: ["discovery.k8s.io"]',
    );
    expect(feedFailure(new ApiError(403, 'no'), 'services', 'ready')).to.contain(
      'apiGroups: [""], resources: ["services"]',
    );
  });

  it('knows that a server which starts refuses everybody', () => {
    for (const readiness of ['answers', 'silent'] as const) {
      expect(feedFailure(new ApiError(403, 'forbidden'), 'services', readiness)).to.equal(
        'HTTP 403: forbidden; the API server is starting (its /readyz is not ok), and refuses everybody until it has read its roles: wait',
      );
      expect(requestTrouble(new ApiError(403, 'forbidden'), 'get leases', readiness).advice).to.match(
        /^the API server is starting/,
      );
    }
    expect(requestTrouble(new ApiError(403, 'forbidden'), 'get leases', 'ready').advice).to.equal(
      'it needs the rule { apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["get"] } of docs/rbac.yaml',
    );
  });

  it('tells what forbids one write from rights that are missing', () => {
    const advice = (message: string): string | undefined =>
      requestTrouble(new ApiError(403, message), 'patch services/status', 'ready').advice;
    for (const message of [
      'admission webhook "policy.example.com" denied the request: no public address for team a',
      "services \"web\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no",
      'services "web" is forbidden: exceeded quota: q, requested: services=1, used: services=1, limited: services=1',
      'events "web.1" is forbidden: unable to create new content in namespace a because it is being terminated',
    ])
      expect(advice(message), message).to.match(/^our rights are in order: look for the webhook/);
    for (const message of [
      'services "web" is forbidden: User "system:serviceaccount:kube-system:eiproute" cannot patch resource "services/status" in API group "" in the namespace "a"',
      'Forbidden',
    ])
      expect(advice(message), message).to.match(/^it needs the rule .*"services\/status"/);
  });

  it('advises no rights to who is not even reached: the Lease of an API that refuses connections', () => {
    for (const code of ['ECONNREFUSED', 'EHOSTUNREACH', 'UND_ERR_CONNECT_TIMEOUT', 'ECONNRESET']) {
      const cause = Object.assign(new Error(code), { code });
      const error = new UnreachableError('https://10.0.0.10:6443', 'kc', cause);
      for (const request of ['get leases', 'patch leases'] as const) {
        const { message, advice } = requestTrouble(error, request, 'ready');
        expect(message).to.match(
          new RegExp(`^${request}: cannot reach the Kubernetes API at 10.0.0.10:6443 .*${code}`),
        );
        expect(advice).to.match(/^check: .*curl -k https:\/\/10\.0\.0\.10:6443\/livez$/);
        expect(`${message} ${advice}`).to.not.match(/rule|rbac|verbs/i);
      }
    }
  });

  describe('of the network', () => {
    const said = (
      code: string,
      server = 'https://10.0.0.99:6443',
      message = `connect ${code} 10.0.0.99:6443`,
    ) => {
      const cause = Object.assign(new Error(message), { code });
      return feedFailure(new UnreachableError(server, '/etc/eiproute/kubeconfig', cause), 'nodes', 'ready');
    };
    const where = 'cannot reach the Kubernetes API at 10.0.0.99:6443 (server in /etc/eiproute/kubeconfig): ';
    const curl = 'curl -k https://10.0.0.99:6443/livez';
    const cases: readonly (readonly [code: string, why: string, check: string])[] = [
      [
        'ECONNREFUSED',
        'connection refused (ECONNREFUSED): the host answers, and nothing listens there',
        curl,
      ],
      [
        'EHOSTUNREACH',
        'no route to host (EHOSTUNREACH): it does not answer ARP or NDP, or a router says so',
        `ip route get 10.0.0.99; ${curl}`,
      ],
      [
        'ENETUNREACH',
        'network unreachable (ENETUNREACH): this host has no route there',
        `ip route get 10.0.0.99; ${curl}`,
      ],
      [
        'UND_ERR_CONNECT_TIMEOUT',
        'no answer in time (UND_ERR_CONNECT_TIMEOUT): packets are lost or dropped on the way',
        `ip route get 10.0.0.99; ${curl}`,
      ],
      ['ECONNRESET', 'the connection was cut (ECONNRESET)', curl],
      [
        'EPERM',
        'this host does not let us (EPERM): a local firewall or sandbox',
        `nft list ruleset; ${curl}`,
      ],
      ['EWHATEVER', 'connect EWHATEVER 10.0.0.99:6443', `ip route get 10.0.0.99; ${curl}`],
    ];
    for (const [code, why, check] of cases) {
      it(`says what ${code} means, where, and what to check`, () => {
        expect(said(code)).to.equal(`${where}${why}; check: ${check}`);
      });
    }

    for (const [code, why] of [
      ['EAI_AGAIN', 'its name cannot be resolved now (EAI_AGAIN): no DNS server answers'],
      ['ENOTFOUND', 'its name does not exist (ENOTFOUND)'],
    ] as const) {
      it(`says what ${code} means`, () => {
        expect(said(code, 'https://k8s.example:6443')).to.equal(
          `cannot reach the Kubernetes API at k8s.example:6443 (server in /etc/eiproute/kubeconfig): ${why}; check: getent ahosts k8s.example; curl -k https://k8s.example:6443/livez`,
        );
      });
    }

    it('takes the brackets off an IPv6 address where a command wants none', () => {
      expect(said('ENETUNREACH', 'https://[2001:db8::1]:6443')).to.match(
        /API at \[2001:db8::1\]:6443 .*ip route get 2001:db8::1; curl -k https:\/\/\[2001:db8::1\]:6443\/livez$/,
      );
    });

    it('says of a server that says nothing how long', () => {
      const error = new UnreachableError('https://10.0.0.99:6443', 'kc', new SilenceError(15_000));
      expect(feedFailure(error, 'nodes', 'ready')).to.match(
        /^cannot reach .* \(server in kc\): the API server has been silent for 15 s; check: ip route get/,
      );
    });

    it('says the same of a request', () => {
      const cause = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
      const error = new UnreachableError('https://10.0.0.99:6443', 'kc', cause);
      expect(requestTrouble(error, 'patch leases', 'ready').message).to.match(
        /^patch leases: cannot reach the Kubernetes API at 10.0.0.99:6443 \(server in kc\): connection refused/,
      );
    });
  });

  it('asks whether this is an API server when it does not know the resource', () => {
    expect(feedFailure(new ApiError(404, 'page not found'), 'endpointslices', 'ready')).to.match(
      /^HTTP 404: page not found; is "server"/,
    );
  });
});
