import { readFile, rename, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import { expect } from 'chai';
import { serverCertificate } from '../../lab/cluster/api/certificate.ts';
import { type JsonObject, listAt } from '../../lab/cluster/api/json.ts';
import { ApiRefusal } from '../../lab/cluster/api-client.ts';
import type { RealCluster } from '../../lab/cluster/real-cluster.ts';
import { program } from '../../lab/eiproute/daemon-process.ts';
import { api } from '../../lab/network/map.ts';
import { waitFor } from '../../lab/process/wait.ts';
import { firstEvent } from '../lab/first-event.ts';
import { Stage } from '../lab/stage.ts';
import { late } from '../patience.ts';
import { needKubernetes, real } from './kind.ts';
import { close, listenInside } from './server-inside.ts';

const user = 'system:serviceaccount:kube-system:eiproute';

/** What a control plane does to its clients when it is restarted, overloaded, or of another opinion. */
describe('a real control plane in trouble', () => {
  let stage: Stage;
  let cluster: RealCluster;
  before(async function () {
    await needKubernetes(this);
    stage = await Stage.open(real('nftables'));
    cluster = stage.real;
  });
  after(async () => {
    await stage?.[Symbol.asyncDispose]();
  });

  const journal = async (): Promise<string> => await readFile(stage.eiproute.files.log, 'utf8');
  const status = async (): Promise<string> => {
    const argv = [program, 'status', '--config', stage.eiproute.files.config];
    return (await stage.lab.network.outcome('gateway', { argv })).out;
  };
  let count = 0;
  /** Makes the gateway write: a new Service, in the place of the one before, whose address the pool needs again. */
  const another = async (name: string): Promise<void> => {
    await cluster.client.delete({ kind: 'Service', name: `${name}-${count}` });
    count += 1;
    await cluster.client.create(serviceNamed(`${name}-${count}`));
  };
  const pending = (name: string): Promise<void> => cluster.createService({ name, policy: 'Cluster' }, []);

  it('kube-apiserver is killed and started: the watches get a 410, and a new list follows', async () => {
    await pending('before');
    await stage.until('it has an address', () => stage.eips('before') !== '');
    const { version } = await cluster.client.snapshot('Service', late());
    // What the gateway does not hear of before the restart is not in the watch cache that begins with it.
    stage.eiproute.gateway.signal('SIGSTOP');
    await pending('unheard');
    await cluster.stopApi();
    await cluster.startApi();
    stage.eiproute.gateway.signal('SIGCONT');
    await pending('after');
    await stage.until('it has an address', () => stage.eips('unheard') !== '');
    await stage.until('it has an address', () => stage.eips('after') !== '');
    expect(await firstEvent(cluster.client, version)).to.match(/^410 /);
  });

  // That all goes on within three seconds of /readyz is held by the unit tests of the feeds, on a clock of their own.
  it('kube-apiserver was away for twenty seconds: all goes on, and no right is missed', async () => {
    const said = (await journal()).length;
    await cluster.stopApi();
    await stage.until('the status tells', async () => /cannot reach the Kubernetes API/.test(await status()));
    // By now the waits between two tries have grown as far as they do.
    await stage.until('it was away', elapsed(20_000));
    await cluster.startApi();
    await pending('away');
    const asked = async (): Promise<true | undefined> => {
      const object = await cluster.client.get({ kind: 'Service', name: 'away' });
      return listAt(object, 'status', 'loadBalancer', 'ingress').length > 0 ? true : undefined;
    };
    await waitFor('it has an address', asked, late());
    await stage.until('all is OK', async () => /^OK: /.test(await status()));
    const told = (await journal()).slice(said);
    expect(told).to.match(/cluster-silent/);
    expect(told).not.to.match(/ClusterRole needs|rbac\.yaml/);
  });

  it('etcd is killed and started: nothing is withdrawn, and what comes after it is served', async () => {
    await pending('etcd-before');
    await stage.until('it has an address', () => stage.eips('etcd-before') !== '');
    const eips = stage.eips('etcd-before');
    await cluster.plane.kill('etcd');
    await stage.until('the API server misses it', () =>
      isRefused(() => cluster.client.text('/readyz', late())),
    );
    await cluster.plane.start('etcd');
    await cluster.plane.ready();
    await pending('etcd-after');
    await stage.until('it has an address', () => stage.eips('etcd-after') !== '');
    expect(stage.eips('etcd-before')).to.equal(eips);
  });

  it('priority and fairness rejects all that the gateway asks: it waits, and goes on afterwards', async () => {
    await cluster.client.create(noSeats);
    await cluster.client.create(flowsOf(user));
    const said = (await journal()).length;
    await stage.until('its requests are rejected', async () => {
      await another('rejected');
      return /429/.test((await journal()).slice(said));
    });
    await cluster.client.delete({ kind: 'FlowSchema', name: 'eiproute' });
    await cluster.client.delete({ kind: 'PriorityLevelConfiguration', name: 'no-seats' });
    await pending('unlimited');
    await stage.until('it has an address', () => stage.eips('unlimited') !== '');
  });

  it('a webhook denies the status of one Service: the others get theirs, and it gets its own when it may', async () => {
    await using denied = await Webhook.open(stage.lab.network.namespace('api'), (request) =>
      JSON.stringify(request).includes('"name":"denied"') ? 'not this one' : undefined,
    );
    await cluster.client.create(denied.configuration());
    await denied.asked(() => pending(`probe-${Date.now()}`));
    await pending('denied');
    await pending('allowed');
    await stage.until('the other has an address', () => stage.eips('allowed') !== '');
    await stage.until('the journal has the reason', async () => (await journal()).includes('not this one'));
    expect(stage.eips('denied')).to.equal('');
    await cluster.client.delete({ kind: 'ValidatingWebhookConfiguration', name: 'eiproute-test' });
    await stage.until('it has an address', () => stage.eips('denied') !== '');
  });

  it('the token expires and is rotated: without a restart the next one is used', async () => {
    const { files, gateway } = stage.eiproute;
    const tokenFile = `${files.kubeconfig}.token`;
    const now = Math.floor(Date.now() / 1000);
    const short = await cluster.tokenUntil(now - 50);
    await writeFile(tokenFile, short);
    await cluster.writeKubeconfigWithFile(files.kubeconfig, tokenFile);
    await gateway.kill('SIGTERM', late());
    await stage.eiproute.restartGateway();
    await stage.eiproute.gateway.synced(late());
    const said = (await journal()).length;
    await stage.until('the token has expired', async () => {
      await another('expiring');
      return /401/.test((await journal()).slice(said));
    });
    await writeFile(`${tokenFile}.new`, await cluster.tokenUntil(now + 3600));
    await rename(`${tokenFile}.new`, tokenFile);
    await pending('rotated');
    await stage.until('it has an address', () => stage.eips('rotated') !== '');
  });
});

/** Holds once so many ms are over. */
function elapsed(ms: number): () => boolean {
  const end = performance.now() + ms;
  return () => performance.now() >= end;
}

async function isRefused(work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return false;
  } catch (error) {
    if (error instanceof ApiRefusal) return true;
    throw error;
  }
}

function serviceNamed(name: string): JsonObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default' },
    spec: { type: 'LoadBalancer', ports: [{ port: 80 }] },
  };
}

/** A priority level that takes no request at all. */
const noSeats: JsonObject = {
  apiVersion: 'flowcontrol.apiserver.k8s.io/v1',
  kind: 'PriorityLevelConfiguration',
  metadata: { name: 'no-seats' },
  spec: {
    type: 'Limited',
    limited: {
      nominalConcurrencyShares: 0,
      lendablePercent: 0,
      borrowingLimitPercent: 0,
      limitResponse: { type: 'Reject' },
    },
  },
};

function flowsOf(name: string): JsonObject {
  return {
    apiVersion: 'flowcontrol.apiserver.k8s.io/v1',
    kind: 'FlowSchema',
    metadata: { name: 'eiproute' },
    spec: {
      priorityLevelConfiguration: { name: 'no-seats' },
      matchingPrecedence: 2,
      rules: [
        {
          subjects: [{ kind: 'User', user: { name } }],
          resourceRules: [
            { verbs: ['*'], apiGroups: ['*'], resources: ['*'], namespaces: ['*'], clusterScope: true },
          ],
        },
      ],
    },
  };
}

/** An admission webhook in the namespace of the API. */
class Webhook implements AsyncDisposable {
  readonly #server: Server;
  readonly #authority: string;
  #requests = 0;

  private constructor(server: Server, authority: string) {
    this.#server = server;
    this.#authority = authority;
  }

  /** @param judge the reason to deny; undefined: it may */
  static async open(namespace: string, judge: (request: unknown) => string | undefined): Promise<Webhook> {
    const { authority, certificate, key } = serverCertificate([api.v4], ['webhook']);
    const server = createServer({ key, cert: certificate }, async (request, response) => {
      let text = '';
      for await (const chunk of request) text += chunk;
      const { request: asked, ...review } = JSON.parse(text);
      const message = judge(asked);
      webhook.#requests += 1;
      const allowed = message === undefined;
      response.setHeader('content-type', 'application/json');
      response.end(
        JSON.stringify({
          ...review,
          response: { uid: asked.uid, allowed, ...(allowed ? {} : { status: { message } }) },
        }),
      );
    });
    const webhook = new Webhook(server, authority);
    await listenInside(namespace, server, port);
    return webhook;
  }

  configuration(): JsonObject {
    return {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingWebhookConfiguration',
      metadata: { name: 'eiproute-test' },
      webhooks: [
        {
          name: 'status.eiproute.example',
          admissionReviewVersions: ['v1'],
          sideEffects: 'None',
          clientConfig: {
            url: `https://${api.v4}:${port}/`,
            caBundle: Buffer.from(this.#authority).toString('base64'),
          },
          rules: [
            { apiGroups: [''], apiVersions: ['v1'], operations: ['UPDATE'], resources: ['services/status'] },
          ],
        },
      ],
    };
  }

  /** Works until the API server asks: it takes a moment until it knows of a new webhook. */
  async asked(work: () => Promise<void>): Promise<void> {
    const before = this.#requests;
    const limit = late();
    while (this.#requests === before) {
      limit.throwIfAborted();
      await work();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await close(this.#server);
  }
}

const port = 9443;
