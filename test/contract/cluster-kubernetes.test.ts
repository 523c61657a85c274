import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { connect, createServer as createTcpServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream';
import { expect } from 'chai';
import { type JsonObject, textAt } from '../../lab/cluster/api/json.ts';
import { kinds } from '../../lab/cluster/api/kinds.ts';
import { nameOf, namespaceOf } from '../../lab/cluster/api/objects.ts';
import { encodeEvent } from '../../lab/cluster/api/protobuf-writer.ts';
import { type ApiServer, type ApiServerOptions, startApiServer } from '../../lab/cluster/api-server.ts';
import { rawNode, rawService, rawSlice } from '../../lab/cluster/manifests.ts';
import { waitFor } from '../../lab/process/wait.ts';
import { GrowingDelta } from '../../src/cluster/delta.ts';
import { HttpTransport } from '../../src/cluster/http.ts';
import { kubernetesCluster } from '../../src/cluster/kubernetes.ts';
import { defaultPace, type ReflectorPace } from '../../src/cluster/reflector.ts';
import { SilenceError } from '../../src/cluster/silence.ts';
import { UnreachableError } from '../../src/cluster/transport.ts';
import { late } from '../patience.ts';
import { type ClusterFixture, clusterContract } from './cluster-suite.ts';
import { troubles, until } from './until.ts';

const quick: ReflectorPace = {
  ...defaultPace,
  page: 2,
  settled: 20,
  first: 4,
  longest: 16,
  silence: 60,
  listSilence: 2000,
};
const plurals = ['services', 'endpointslices', 'nodes'];

interface ApiServerFixture extends ClusterFixture {
  readonly server: ApiServer;
  readonly folder: string;
  /** Resolves when all three watches are open. */
  watched(): Promise<void>;
}

/** For sh: hangs for longer than any test, and says in a file who does. */
function hanging(pids: string): string {
  return `echo $$ >> ${pids}; exec sleep 600`;
}

/** Resolves when so many hang: whoever ends one need not wait until its minute is over, which holds this process. */
function hangingPlugins(pids: string, count: number): Promise<readonly number[]> {
  const look = async (): Promise<readonly number[] | undefined> => {
    const found = (await readFile(pids, 'utf8')).split('\n').slice(0, -1).map(Number);
    return found.length === count ? found : undefined;
  };
  return waitFor('the plugin hangs', look, late());
}

function json(object: object): JsonObject {
  return JSON.parse(JSON.stringify(object));
}

function kindOf(object: JsonObject) {
  const name = textAt(object, 'kind');
  const kind = kinds.find((each) => each.kind === name);
  if (kind === undefined) throw new Error(`no kind ${name}`);
  return kind;
}

async function stage(
  world: readonly object[],
  pace: Partial<ReflectorPace> = {},
  prepare: (server: ApiServer) => void = () => {},
  user?: (folder: string, server: ApiServer) => Promise<JsonObject>,
  server: Partial<ApiServerOptions> = {},
): Promise<ApiServerFixture> {
  const folder = await mkdtemp(join(tmpdir(), 'eiproute-kubernetes-'));
  const api = await startApiServer(server);
  for (const object of world) api.put(json(object));
  prepare(api);
  const kubeconfig = join(folder, 'kubeconfig');
  await writeFile(kubeconfig, api.kubeconfig(await user?.(folder, api)));
  const cluster = kubernetesCluster({ kubeconfig, context: undefined }, { ...quick, ...pace });
  return {
    cluster,
    server: api,
    folder,
    watched: () => api.watched(plurals, 1, late()),
    set: async (...objects) => {
      for (const object of objects) api.put(json(object));
    },
    delete: async (...objects) => {
      for (const object of objects.map(json)) {
        api.objects.delete(kindOf(object), namespaceOf(object), nameOf(object));
      }
    },
    async [Symbol.asyncDispose]() {
      await cluster[Symbol.asyncDispose]();
      await api[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
}

clusterContract('Kubernetes', 'event', (world) => stage(world));
clusterContract('Kubernetes over HTTP/1.1', 'event', (world) =>
  stage(world, {}, undefined, undefined, { protocol: 'http/1.1' }),
);
clusterContract('Kubernetes in JSON', 'event', (world) =>
  stage(world, {}, undefined, undefined, { writes: 'json' }),
);

const small = [
  rawNode('n1'),
  rawNode('n2'),
  rawNode('n3'),
  rawService('web'),
  rawSlice('web', [{ ip: '10.1.0.1' }]),
];
const names = (list: readonly { readonly name: string }[]): string[] => list.map(({ name }) => name);

describe('the Kubernetes cluster', () => {
  it('speaks HTTP/2 over one connection for all three resources, and says who it is', async () => {
    await using it = await stage(small);
    await it.watched();
    const watches = it.server.seen.filter(({ target }) => target.includes('watch=true'));
    expect(watches.map(({ agent, version }) => `${agent} ${version}`)).to.deep.equal([
      'eiproute 2.0',
      'eiproute 2.0',
      'eiproute 2.0',
    ]);
    expect(it.server.connections).to.equal(1);
  });

  for (const protocol of ['h2', 'http/1.1'] as const) {
    it(`ends what is on its way when its connections are broken, also while nothing is heard (${protocol})`, async () => {
      await using server = await startApiServer({ protocol });
      server.put(json(rawNode('n1')));
      const folder = await mkdtemp(join(tmpdir(), 'eiproute-kubernetes-'));
      const kubeconfig = join(folder, 'kubeconfig');
      await writeFile(kubeconfig, server.kubeconfig());
      await using transport = new HttpTransport({ kubeconfig, context: undefined });
      const { resourceVersion } = await transport.list('nodes', 5, undefined, late());
      const batches = await transport.watch('nodes', resourceVersion, 300, late());
      const ended = (async () => {
        for await (const _ of batches);
        return 'an end';
      })().catch((error: unknown) => error);
      expect(await transport.probe(late())).to.equal(200);
      const connections = new Map(
        server.seen.map(({ target, connection }) => [target.split('?')[0], connection]),
      );
      if (protocol === 'h2')
        expect(connections.get('/readyz'), 'one connection').to.equal(connections.get('/api/v1/nodes'));
      server.beSilent(true);
      const stopped = await transport.probe(AbortSignal.timeout(50)).catch((error: Error) => error.name);
      expect(stopped).to.equal('TimeoutError');
      transport.disconnect(new SilenceError(15_000));
      const error = await ended;
      expect(error).to.be.instanceOf(UnreachableError);
      expect(error).to.include({
        server: server.url,
        from: kubeconfig,
        message: new SilenceError(15_000).message,
      });
      server.beSilent(false);
      expect([...(await transport.list('nodes', 5, undefined, late())).items]).to.have.length(1);
      await rm(folder, { recursive: true });
    });
  }

  it('lets the server send a whole page before it reads it', async () => {
    await using it = await stage(small);
    await it.watched();
    expect(it.server.windows).to.deep.equal([4 * 2 ** 20]);
  });

  it('does not advise a ClusterRole while the server is starting', async () => {
    const refusal = { status: 403, message: 'nodes is forbidden' };
    await using it = await stage(small, {}, ({ faults }) =>
      faults.refuse(refusal, Number.POSITIVE_INFINITY, /./),
    );
    const snapshot = await until(it.cluster, (now) =>
      now.feeds.every(({ trouble }) => trouble !== undefined),
    );
    for (const { trouble } of snapshot.feeds) expect(trouble).to.match(/the API server is starting/);
    it.server.faults.clear();
    await until(it.cluster, (now) => now.complete);
  });

  it('is not complete before the first list of every resource is in', async () => {
    await using it = await stage(small, {}, ({ faults }) => faults.forbid('list', 'nodes'));
    const snapshot = await until(
      it.cluster,
      (now) => now.feeds.filter(({ synced }) => synced).length === 2 && troubles(now) !== '\n\n',
    );
    expect(snapshot.complete).to.equal(false);
    expect(snapshot.services).to.have.length(1);
  });

  it('says what the server says to a 403, and which rule is missing, and recovers', async () => {
    await using it = await stage(small, {}, ({ faults }) => faults.forbid('list', 'endpointslices'));
    const refused = await until(it.cluster, (now) => troubles(now).includes('403'));
    expect(refused.feeds[1]?.trouble).to.equal(
      'HTTP 403: endpointslices.discovery.k8s.io is forbidden: User "eiproute" cannot list resource "endpointslices" in API group "discovery.k8s.io" at the cluster scope; its ClusterRole needs the rule { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: ["list", "watch"] }',
    );
    it.server.faults.allow('list', 'endpointslices');
    await until(it.cluster, ({ complete }) => complete);
  });

  it('relists without a flap when the history is compacted away in mid-stream (410)', async () => {
    await using it = await stage(small);
    const before = await until(it.cluster, ({ complete }) => complete);
    await it.watched();
    const seen: string[][] = [];
    const stop = new AbortController();
    const all = new GrowingDelta();
    const looking = (async () => {
      for await (const delta of it.cluster.changes(stop.signal)) {
        all.merge(delta);
        seen.push(names(it.cluster.snapshot().nodes));
      }
    })();
    // While no watch is open, things change and history goes.
    it.server.faults.refuse({ status: 503 }, 3, /watch=true/);
    it.server.breakWatches();
    it.server.put(json(rawNode('n4')));
    it.server.objects.delete(kindOf(json(rawNode('n1'))), '', 'n1');
    it.server.objects.compact();
    const after = await until(it.cluster, ({ nodes }) => nodes.length === 3 && nodes[2]?.name === 'n4');
    expect(names(after.nodes)).to.deep.equal(['n2', 'n3', 'n4']);
    expect(after.nodes[0]).to.equal(before.nodes[1]);
    expect(after.services).to.equal(before.services);
    stop.abort();
    await looking;
    const flaps = seen.filter((list) => list.join() !== 'n1,n2,n3' && list.join() !== 'n2,n3,n4');
    expect(flaps).to.deep.equal([]);
    // The list lacks n1, and nothing says why.
    expect(all).to.deep.include({ nodes: true, byEvent: { services: new Set(), nodes: false } });
  });

  it('starts over when the pages of a list expire between two of them', async () => {
    await using it = await stage(small, {}, ({ faults }) => {
      faults.refuse(
        { status: 410, message: 'The provided continue parameter is too old' },
        1,
        /nodes.*continue=/,
      );
    });
    const { nodes } = await until(it.cluster, ({ complete }) => complete);
    expect(names(nodes)).to.deep.equal(['n1', 'n2', 'n3']);
    expect(it.server.seen.filter(({ target }) => /nodes\?limit=2$/.test(target))).to.have.length(2);
  });

  it('resumes torn watches without a new list and misses nothing', async () => {
    await using it = await stage(small);
    await until(it.cluster, ({ complete }) => complete);
    await it.watched();
    const lists = () => it.server.seen.filter(({ target }) => target.includes('limit=')).length;
    const before = lists();
    it.server.breakWatches();
    it.server.put(json(rawNode('n4')));
    await until(it.cluster, ({ nodes }) => nodes.length === 4);
    expect(lists()).to.equal(before);
  });

  for (const writes of ['protobuf', 'json'] as const) {
    describe(`in ${writes}`, () => {
      const open = async (): Promise<ApiServerFixture> => {
        const it = await stage(small, {}, undefined, undefined, { writes });
        await until(it.cluster, ({ complete }) => complete);
        await it.watched();
        return it;
      };
      const event = (object: JsonObject): Buffer =>
        writes === 'json'
          ? Buffer.from(`${JSON.stringify({ type: 'ADDED', object })}\n`)
          : (encodeEvent('ADDED', object) ?? expect.fail('no protobuf'));

      it('speaks it', async () => {
        await using it = await open();
        const [type, other] = ['application/vnd.kubernetes.protobuf', 'application/json'];
        expect(it.server.answered).to.have.all.keys(
          ...(writes === 'json' ? [other] : [type, `${type};stream=watch`]),
        );
      });

      it('resumes after an event that was cut off in the middle', async () => {
        await using it = await open();
        it.server.injectIntoWatches('nodes', event(json(rawNode('half'))).subarray(0, 40));
        it.server.breakWatches();
        it.server.put(json(rawNode('n4')));
        const { nodes } = await until(it.cluster, (now) => now.nodes.length === 4);
        expect(names(nodes)).to.deep.equal(['n1', 'n2', 'n3', 'n4']);
      });

      it('resumes after what is no event', async () => {
        await using it = await open();
        it.server.injectIntoWatches('nodes', '<html>504 Gateway Time-out</html>\n');
        it.server.put(json(rawNode('n4')));
        await until(it.cluster, ({ nodes }) => nodes.length === 4);
      });

      it('skips garbage objects, says so once, and works on', async () => {
        await using it = await open();
        const nameless = { apiVersion: 'v1', kind: 'Service', metadata: {}, spec: {} };
        it.server.inventEvent('services', 'ADDED', nameless);
        it.server.put(json(rawService('new')));
        const { services, problems } = await until(it.cluster, (now) => now.services.length === 2);
        expect(names(services)).to.deep.equal(['new', 'web']);
        expect(problems.map(({ code, subject }) => `${code} ${subject}`)).to.deep.equal([
          'object-unreadable Service without a name',
        ]);
      });

      it('survives error events inside a stream', async () => {
        await using it = await open();
        const status = { kind: 'Status', apiVersion: 'v1', code: 500, message: 'etcdserver: leader changed' };
        it.server.inventEvent('nodes', 'ERROR', status);
        it.server.put(json(rawNode('n4')));
        await until(it.cluster, ({ nodes }) => nodes.length === 4);
      });

      it('says what the server says to a 403', async () => {
        await using it = await stage(small, {}, ({ faults }) => faults.forbid('list', 'nodes'), undefined, {
          writes,
        });
        const refused = await until(it.cluster, (now) => troubles(now).includes('403'));
        expect(refused.feeds[2]?.trouble).to.match(
          /^HTTP 403: nodes is forbidden: User "eiproute" cannot list resource "nodes"/,
        );
      });
    });
  }

  it('leaves the connection of a watch that fell silent', async () => {
    await using it = await stage(small, { watchSeconds: [1, 1], silence: -900 });
    await until(it.cluster, ({ complete }) => complete);
    await it.watched();
    it.server.muteWatches();
    it.server.put(json(rawNode('n4')));
    await until(it.cluster, ({ nodes }) => nodes.length === 4);
    const watches = it.server.seen.filter(({ target }) => /nodes\?watch/.test(target));
    expect(watches[0]?.connection).to.equal(1);
    expect(watches.at(-1)?.connection).to.be.greaterThan(1);
  });

  it('leaves a silent server and connects anew', async () => {
    await using it = await stage(small, { watchSeconds: [1, 1], silence: -900, listSilence: 100 });
    await until(it.cluster, ({ complete }) => complete);
    it.server.beSilent(true);
    it.server.put(json(rawNode('n4')));
    await until(it.cluster, (now) => troubles(now).includes('silent for'));
    expect(it.cluster.snapshot().nodes).to.have.length(3);
    it.server.beSilent(false);
    await until(it.cluster, ({ nodes }) => nodes.length === 4);
    await until(it.cluster, (now) => troubles(now).trim() === '');
  });

  it('obeys Retry-After on a 429', async () => {
    const asked = Date.now();
    await using it = await stage(small, {}, ({ faults }) => {
      faults.refuse({ status: 429, message: 'too many requests', retryAfter: 1 }, 1, /nodes\?limit/);
    });
    await until(it.cluster, ({ complete }) => complete);
    expect(Date.now() - asked).to.be.at.least(1000);
  });

  it('keeps everything while the API server is down, and catches up when it is back', async () => {
    await using it = await stage(small);
    const before = await until(it.cluster, ({ complete }) => complete);
    await it.watched();
    await it.server.stop();
    const down = await until(it.cluster, ({ feeds }) => feeds.every(({ trouble }) => trouble !== undefined));
    expect(troubles(down)).to.match(/ECONNREFUSED/);
    expect(down.complete).to.equal(true);
    expect(down.services).to.equal(before.services);
    it.server.put(json(rawNode('n4')));
    await it.server.start();
    await until(it.cluster, (now) => now.nodes.length === 4 && troubles(now).trim() === '');
  });

  it('catches up with a server that starts: it refuses all at first, and then has no history', async () => {
    await using it = await stage(small, {}, undefined, async (_folder, server) => ({
      token: server.account(() => true),
    }));
    await until(it.cluster, ({ complete }) => complete);
    await it.watched();
    await it.server.stop();
    it.server.put(json(rawNode('n4')));
    await it.server.start('loading');
    const refused = await until(it.cluster, (now) => /403/.test(troubles(now)));
    expect(refused.complete).to.equal(true);
    it.server.loadRules();
    await until(it.cluster, (now) => now.nodes.length === 4 && troubles(now).trim() === '');
  });

  it('goes on over a new connection when the server sends GOAWAY', async () => {
    await using it = await stage(small);
    await until(it.cluster, ({ complete }) => complete);
    await it.watched();
    it.server.goAway();
    it.server.put(json(rawNode('n4')));
    const after = await until(it.cluster, ({ nodes }) => nodes.length === 4);
    expect(troubles(after).trim()).to.equal('');
  });

  it('reads a rotated token file after a 401', async () => {
    let tokenFile = '';
    await using it = await stage(small, {}, undefined, async (folder, server) => {
      tokenFile = join(folder, 'token');
      await writeFile(tokenFile, `${server.token}\n`);
      // Relative to the kubeconfig, as kubectl takes it.
      return { tokenFile: 'token' };
    });
    await until(it.cluster, ({ complete }) => complete);
    await it.watched();
    it.server.accept('second');
    it.server.breakWatches();
    const refused = await until(it.cluster, (now) => troubles(now).includes('401'));
    expect(refused.nodes).to.have.length(3);
    await writeFile(tokenFile, 'second\n');
    it.server.put(json(rawNode('n4')));
    await until(it.cluster, (now) => now.nodes.length === 4 && troubles(now).trim() === '');
  });

  it('asks an exec plugin again after a 401, although its token had no end', async () => {
    let token = '';
    await using it = await stage(small, {}, undefined, async (folder, server) => {
      token = join(folder, 'token');
      await writeFile(token, server.token);
      const script = `printf '{"kind":"ExecCredential","status":{"token":"%s"}}' "$(cat ${token})"`;
      const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: 'sh', args: ['-c', script] };
      return { exec };
    });
    await until(it.cluster, ({ complete }) => complete);
    await it.watched();
    await writeFile(token, 'second');
    it.server.accept('second');
    it.server.breakWatches();
    it.server.put(json(rawNode('n4')));
    await until(it.cluster, ({ nodes }) => nodes.length === 4);
  });

  it('delivers an empty list from a recovering server as it is', async () => {
    await using it = await stage(small);
    await until(it.cluster, ({ complete }) => complete);
    await it.watched();
    it.server.objects.forget(kindOf({ kind: 'Node' }));
    it.server.breakWatches();
    const { nodes, complete } = await until(it.cluster, (now) => now.nodes.length === 0);
    expect({ nodes, complete }).to.deep.equal({ nodes: [], complete: true });
  });

  it('reports what is wrong with the certificate of another server', async () => {
    await using other = await startApiServer();
    await using it = await stage(small);
    const wrong = it.server.kubeconfig().replace(it.server.url, other.url);
    const kubeconfig = join(it.folder, 'wrong');
    await writeFile(kubeconfig, wrong);
    await using cluster = kubernetesCluster({ kubeconfig, context: undefined }, quick);
    const { feeds } = await until(cluster, (now) => troubles(now) !== '\n\n');
    expect(feeds.map(({ trouble }) => trouble).join()).to.match(/compare certificate-authority and server/);
  });

  describe('whose host, or a proxy before it, takes connections and says nothing', () => {
    const calls: readonly {
      name: string;
      call: (it: HttpTransport, signal: AbortSignal) => Promise<unknown>;
    }[] = [
      { name: 'list', call: (it, signal) => it.list('nodes', 10, undefined, signal) },
      { name: 'watch', call: (it, signal) => it.watch('nodes', '1', 10, signal) },
      { name: 'question whether it is ready', call: (it, signal) => it.probe(signal) },
      { name: 'write', call: (it, signal) => it.send('PATCH', '/x', 'application/json', {}, signal) },
    ];
    for (const where of ['server', 'proxy-url'] as const) {
      for (const { name, call } of calls) {
        it(`ends a ${name} with its signal (${where})`, async () => {
          await using it = await stage(small);
          const silent = createTcpServer();
          await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
          const address = silent.address();
          if (address === null || typeof address === 'string') throw new Error('the server has no port');
          const line =
            where === 'server'
              ? `server: https://127.0.0.1:${address.port}`
              : `$&\n      proxy-url: http://127.0.0.1:${address.port}`;
          const kubeconfig = join(it.folder, 'silent');
          await writeFile(kubeconfig, it.server.kubeconfig().replace(/server: .*/, line));
          const transport = new HttpTransport({ kubeconfig, context: undefined });
          const over = new AbortController();
          const taken = once(silent, 'connection');
          const calling = call(transport, over.signal).catch((error: unknown) => error);
          const [socket] = await taken;
          over.abort(new Error('the test has waited enough'));
          expect(await calling).to.equal(over.signal.reason);
          socket.destroy();
          await transport[Symbol.asyncDispose]();
          silent.close();
        });
      }
    }
  });

  it('goes through the proxy of the kubeconfig', async () => {
    const asked: string[] = [];
    const proxy = createServer();
    proxy.on('connect', (request, client: Socket, head: Buffer) => {
      asked.push(request.url ?? '');
      const { hostname, port } = new URL(`http://${request.url}`);
      const server = connect(Number(port), hostname, () => {
        client.write('HTTP/1.1 200 OK\r\n\r\n');
        server.write(head);
        pipeline(client, server, client, () => undefined);
      });
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    const address = proxy.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
    await using it = await stage(small);
    const text = it.server
      .kubeconfig()
      .replace(/server: .*/, `$&\n      proxy-url: http://127.0.0.1:${address.port}`);
    const kubeconfig = join(it.folder, 'proxied');
    await writeFile(kubeconfig, text);
    {
      await using cluster = kubernetesCluster({ kubeconfig, context: undefined }, quick);
      await until(cluster, ({ complete }) => complete);
    }
    expect(asked).to.include(new URL(it.server.url).host);
    proxy.closeAllConnections();
    proxy.close();
  });

  it('says where the API server is, also while an exec plugin hangs', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'eiproute-exec-'));
    const pid = join(folder, 'pid');
    const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: 'sh', args: ['-c', hanging(pid)] };
    await using it = await stage(small, {}, undefined, async () => ({ exec }));
    const [plugin] = await hangingPlugins(pid, 1);
    expect(it.cluster.overview().apiPeers).to.deep.equal([{ ip: '127.0.0.1', from: 'server' }]);
    if (plugin !== undefined) process.kill(plugin, 'SIGKILL');
    await rm(folder, { recursive: true });
  });

  const wrong: readonly { name: string; edit: (text: string) => string; says: RegExp }[] = [
    { name: 'is no YAML', edit: () => 'a: [', says: /kubeconfig \S+ cannot be used: .*kubectl accepts/ },
    { name: 'is empty', edit: () => '', says: /cannot be used|has no current-context/ },
    {
      name: 'has no server',
      edit: (text) => text.replace(/server: .*/, 'x: y'),
      says: /clusters\[0\].cluster.server/,
    },
    {
      name: 'names a context that is not there',
      edit: (text) => text.replace(/current-context: .*/, 'current-context: prod'),
      says: /has no context "prod"; it has "eiproute-demo"; set "context"/,
    },
    {
      name: 'has a server that is no URL',
      edit: (text) => text.replace('https://', ''),
      says: /which is no URL/,
    },
    {
      name: 'uses http',
      edit: (text) => text.replace('https://', 'http://'),
      says: /HTTP protocol is not allowed/,
    },
    {
      name: 'has a certificate authority that is none',
      edit: (text) =>
        text.replace(/certificate-authority-data: \S+/, 'certificate-authority-data: bm9uc2Vuc2U='),
      says: /certificate/,
    },
    {
      name: 'names a token file that is not there',
      edit: (text) => text.replace(/token: .*/, 'tokenFile: none'),
      says: /no credentials for user "eiproute-demo": ENOENT/,
    },
    {
      name: 'has a token that no HTTP header can hold',
      edit: (text) => text.replace(/token: .*/, 'token: "a\\nb"'),
      says: /users\[0\]\.user\.token has a sign that no HTTP header can hold/,
    },
    {
      name: 'names an exec plugin that prints a bare token',
      edit: (text) =>
        text.replace(
          /token: .*/,
          'exec: { apiVersion: client.authentication.k8s.io/v1, command: echo, args: [hunter2] }',
        ),
      says: /no credentials for user "eiproute-demo": echo printed 8 bytes that are no JSON;/,
    },
    {
      name: 'names an exec plugin that is not there',
      edit: (text) =>
        text.replace(
          /token: .*/,
          'exec: { apiVersion: client.authentication.k8s.io/v1, command: eip-no-such }',
        ),
      says: /no credentials for user "eiproute-demo": spawn eip-no-such ENOENT/,
    },
  ];
  for (const { name, edit, says } of wrong) {
    it(`says what is wrong with a kubeconfig that ${name}, and takes it when it is right`, async () => {
      await using it = await stage(small);
      const kubeconfig = join(it.folder, 'broken');
      await writeFile(kubeconfig, edit(it.server.kubeconfig()));
      await using cluster = kubernetesCluster({ kubeconfig, context: undefined }, quick);
      await until(cluster, (now) => says.test(troubles(now)));
      await writeFile(kubeconfig, it.server.kubeconfig());
      await until(cluster, ({ complete }) => complete);
    });
  }

  it('resumes torn watches over HTTP/1.1 as well', async () => {
    await using it = await stage(small, {}, undefined, undefined, { protocol: 'http/1.1' });
    await until(it.cluster, ({ complete }) => complete);
    await it.watched();
    it.server.injectIntoWatches('nodes', '{"type":"ADD');
    it.server.breakWatches();
    it.server.put(json(rawNode('n4')));
    await until(it.cluster, ({ nodes }) => nodes.length === 4);
    expect(it.server.seen.at(-1)?.version).to.equal('1.1');
  });

  it('stops at once, even while an exec plugin hangs', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'eiproute-exec-'));
    const pid = join(folder, 'pid');
    const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: 'sh', args: ['-c', hanging(pid)] };
    const it = await stage(small, {}, undefined, async () => ({ exec }));
    const plugins = await hangingPlugins(pid, 1);
    await it[Symbol.asyncDispose]();
    for (const plugin of plugins) process.kill(plugin, 'SIGKILL');
    await rm(folder, { recursive: true });
  });

  it('gives up a list and a write in time while an exec plugin hangs', async () => {
    await using server = await startApiServer();
    const folder = await mkdtemp(join(tmpdir(), 'eiproute-exec-'));
    const [hang, pids] = [join(folder, 'hang'), join(folder, 'pids')];
    // What has expired is asked for again with every request.
    const credential = JSON.stringify({
      kind: 'ExecCredential',
      status: { token: server.token, expirationTimestamp: '2020-01-01T00:00:00Z' },
    });
    const script = `[ ! -e ${hang} ] || { ${hanging(pids)}; }; echo '${credential}'`;
    const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: 'sh', args: ['-c', script] };
    const kubeconfig = join(folder, 'kubeconfig');
    await writeFile(kubeconfig, server.kubeconfig({ exec }));
    await using transport = new HttpTransport({ kubeconfig, context: undefined });
    await transport.list('nodes', 5, undefined, late());
    await writeFile(hang, '');
    const path = '/api/v1/nodes?limit=1';
    for (const [i, work] of [
      (signal: AbortSignal) => transport.list('nodes', 5, undefined, signal),
      (signal: AbortSignal) => transport.send('GET', path, undefined, undefined, signal),
    ].entries()) {
      const stop = new AbortController();
      const error = work(stop.signal).catch((reason: Error) => reason.name);
      await hangingPlugins(pids, i + 1);
      stop.abort();
      expect(await error).to.equal('AbortError');
      await rm(hang);
      await transport.list('nodes', 5, undefined, late());
      await writeFile(hang, '');
    }
    for (const plugin of await hangingPlugins(pids, 2)) process.kill(plugin, 'SIGKILL');
    await rm(folder, { recursive: true });
  });

  for (const [words, token] of [
    ['a line break', 'first\nsecond'],
    ['a letter that is not Latin', 'tok\u0117n'],
  ] as const) {
    it(`says that no header can hold a token with ${words}, and stops at once`, async () => {
      const it = await stage(small, {}, undefined, async () => ({ token }));
      const { feeds } = await until(it.cluster, (now) =>
        now.feeds.every(({ trouble }) => trouble !== undefined),
      );
      for (const { trouble } of feeds) {
        expect(trouble).to.match(/has a sign that no HTTP header can hold in a token: U\+/);
        expect(trouble).not.to.contain(token);
      }
      await it[Symbol.asyncDispose]();
    });
  }

  it('stops at once, even while the server is silent', async () => {
    const it = await stage(small, {}, (server) => server.beSilent(true));
    await it.server.asked(/limit/, 3, late());
    await it[Symbol.asyncDispose]();
  });
});
