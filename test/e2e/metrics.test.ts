import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { rawNode } from '../../lab/cluster/manifests.ts';
import { inside } from '../../lab/process/namespace.ts';
import { outcome, within } from '../../lab/process/run.ts';
import type { GatewayDaemon } from './gateway-daemon.ts';
import { GatewayHost, serviceOn } from './gateway-host.ts';
import { needPrograms, needRoot } from './root.ts';
import { tied } from './tied.ts';
import { until } from './until.ts';

const monitoring = fileURLToPath(new URL('../../monitoring', import.meta.url));
const listen = '127.0.0.1:9469';

/** Status and body of a request in the gateway's namespace. */
async function http(host: GatewayHost, ...words: readonly string[]): Promise<readonly [string, string]> {
  const { out, err } = await host.within('curl', '-sS', '-w', '\n%{http_code}', ...words);
  const cut = out.lastIndexOf('\n');
  return [out.slice(cut + 1) || err, out.slice(0, cut)];
}

describe('the read-only listener', () => {
  let host: GatewayHost;
  let daemon: GatewayDaemon;

  before(async function () {
    needRoot(this);
    needPrograms(this, 'promtool');
    host = await GatewayHost.make({ settings: `metrics: { listen: "${listen}" }` });
    daemon = await host.start();
  });
  after(async () => {
    await host?.[Symbol.asyncDispose]();
  });

  it('has the metrics, as the socket has them', async () => {
    const [code, body] = await http(host, `http://${listen}/metrics`);
    expect(code).to.equal('200');
    expect(body).to.match(/^eiproute_eips\{state="routed"\} 3$/m);
    expect(body).to.match(/^eiproute_build_info\{version="\S+",role="gateway"\} 1$/m);
    const socket = join(host.runtime, 'gateway.sock');
    const [, same] = await http(host, '--unix-socket', socket, 'http://localhost/metrics');
    const names = (text: string) => text.match(/^# TYPE .*$/gm);
    expect(names(same)).to.deep.equal(names(body));
    const lint = await outcome({ argv: ['promtool', 'check', 'metrics'], input: body });
    expect(lint).to.deep.equal({ status: 0, out: '', err: '' });
  });

  it('says that it is well and ready, with the words of the status', async () => {
    for (const path of ['healthz', 'readyz']) {
      const answer = await http(host, `http://${listen}/${path}`);
      expect(answer).to.deep.equal(['200', 'OK: 3 of 3 EIPs routed over 3 nodes\n']);
    }
  });

  it('tells whether the last reload was taken, whatever is logged', async () => {
    const reload = async (pools: string): Promise<void> => {
      await host.configure({ pools, level: 'warn' });
      daemon.signal('SIGHUP');
    };
    const figure = async (name: string): Promise<number> => {
      const [, body] = await http(host, `http://${listen}/metrics`);
      return Number(new RegExp(`^eiproute_config_reload_${name} (\\S+)$`, 'm').exec(body)?.[1]);
    };
    const started = await figure('timestamp_seconds');
    const taken = (): Promise<number> => figure('timestamp_seconds');
    const success = (): Promise<number> => figure('success');
    await reload('[198.51.100.0/24, "2001:db8:e::/64"]');
    await until('the first one was taken', taken, (now) => now > started);
    await reload('[198.51.100.7/24]');
    await until('one was refused', success, (now) => now === 0);
    await reload('[198.51.100.0/24, "2001:db8:e::/64"]');
    await until('another one was taken', success, (now) => now === 1);
  });

  it('changes nothing, whatever is asked', async () => {
    const [code] = await http(host, '-X', 'POST', `http://${listen}/release`);
    expect(code).to.equal('405');
    for (const path of ['release', 'status', 'objects', '..%2f..%2fetc%2fpasswd']) {
      const [missing, words] = await http(host, `http://${listen}/${path}`);
      expect(missing, path).to.equal('404');
      expect(words).to.match(/^nothing at GET \S+; there is GET \/, GET \/metrics/);
    }
  });

  it('answers a request whose target is no address, on every socket, and lives', async () => {
    const sockets = ['gateway.sock', 'gateway-control.sock'].map((name) => [
      '--unix-socket',
      join(host.runtime, name),
    ]);
    for (const target of ['//', '//[', 'http://[', '*'])
      for (const how of [[], ...sockets]) {
        const [code] = await http(host, ...how, '--request-target', target, `http://${listen}/`);
        expect(code, `${target} ${how.join(' ')}`).to.equal('404');
      }
    expect((await http(host, `http://${listen}/healthz`))[0]).to.equal('200');
  });

  it('says of an address that others can reach what is to be read there, and listens all the same', async () => {
    await using other = await GatewayHost.make({ settings: 'metrics: { listen: "0.0.0.0:9469" }' });
    const daemon = await other.start();
    const open =
      /metrics\.listen: 0\.0\.0\.0:9469 can be reached from elsewhere: .*anybody there reads the names of all Services and nodes/;
    const told = await daemon.says(/"config-warning"/);
    expect(told.level).to.equal('warn');
    expect(told['warning']).to.match(open);
    // Once, and as a record alone.
    expect(daemon.words.filter((line) => open.test(line))).to.deep.equal([]);
    const { status, err } = await other.eiproute('config', 'check');
    expect(status).to.equal(0);
    expect(err).to.match(open);
    // Who looks at what runs, again and again, does not read it each time.
    expect(await other.eiproute('status')).to.include({ status: 0, err: '' });
    expect((await other.eiproute('doctor')).out).to.match(
      /^warn {2}configuration .*\n.*0\.0\.0\.0:9469 can be reached/m,
    );
    expect((await http(other, `http://${listen}/healthz`))[0]).to.equal('200');
  });

  it('is told in words when its port is taken, and changes nothing then', async () => {
    await using other = await GatewayHost.make({ settings: `metrics: { listen: "${listen}" }` });
    const taken = createServer();
    try {
      inside(other.namespace, () => taken.listen(9469));
      await once(taken, 'listening');
      const daemon = other.launch();
      expect(await daemon.ended()).to.equal(1);
      expect(daemon.text()).to.match(
        /cannot listen on metrics.listen 127.0.0.1:9469: another program listens there \(EADDRINUSE\): ss -ltnp shows it; take another port/,
      );
      expect(await other.ours()).to.equal('');
    } finally {
      taken.close();
    }
  });

  it('is not ready before the lists are in, and alive', async () => {
    await using other = await GatewayHost.make({ settings: `metrics: { listen: "${listen}" }` });
    await other.api.stop();
    const daemon = other.launch();
    await daemon.says(/"started"/);
    const [code, words] = await until(
      'the listener answers',
      () => http(other, `http://${listen}/readyz`),
      ([status]) => /^\d{3}$/.test(status) && status !== '000',
    );
    expect(code).to.equal('503');
    expect(words).to.match(/^NOT SYNCED: /);
    expect((await http(other, `http://${listen}/healthz`))[0]).to.equal('200');
    expect((await http(other, `http://${listen}/metrics`))[1]).to.match(
      /^eiproute_state\{state="not_synced"\} 1$/m,
    );
  });
});

describe('monitoring', () => {
  before(function () {
    needRoot(this);
    needPrograms(this, 'prometheus');
  });

  it('has alerts that fire on their cause, and are silent on a gateway that is well', async () => {
    const file = join(monitoring, 'eiproute.rules.test.yml');
    const { status, out, err } = await outcome({ argv: ['promtool', 'test', 'rules', file] });
    expect(status, out + err).to.equal(0);
  });

  it('has a dashboard whose every query a Prometheus answers that scrapes a real gateway', async () => {
    await using host = await GatewayHost.make();
    await credentialsThatEnd(host);
    host.put(lease);
    await host.configure({ settings: `metrics: { listen: "${listen}" }\nallocate: true` });
    const daemon = await host.start();
    await using prometheus = await Prometheus.start(host);
    // Something to see: a change, a repair, a node that does not answer.
    await prometheus.has('eiproute_synced == 1');
    host.put(...serviceOn('late', []));
    await daemon.says(/eip-routed.*default\/late/);
    const [route = ''] = (await host.ours()).match(/^198\.51\.100\.10 .*$/m) ?? [];
    await host.ip('route delete 198.51.100.10');
    await daemon.says(/eip-repaired/);
    expect(route).not.to.equal('');
    host.put(rawNode('n4', { addresses: ['10.0.0.14'] }));
    await host.ip('neigh replace 10.0.0.14 dev eth0 nud failed');
    await prometheus.has('eiproute_node_up{node="n4"} == 0');
    for (const { title, query } of queries()) {
      const answer = await prometheus.has(query);
      expect(answer.length, `${title}: ${query}`).to.be.greaterThan(0);
    }
    expect(await prometheus.rules()).to.have.length.greaterThan(15);
  });
});

/** As docs/rbac.yaml makes it. */
const lease = {
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: { name: 'eiproute', namespace: 'kube-system' },
  spec: {},
};

/** Its kubeconfig has a token that says when it ends. */
async function credentialsThatEnd(host: GatewayHost): Promise<void> {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const token = `${part({ alg: 'none' })}.${part({ exp: 4_000_000_000 })}.x`;
  host.api.accept(token);
  await writeFile(join(host.folder, 'kubeconfig'), host.api.kubeconfig({ token }), { mode: 0o600 });
}

/** Every query of the dashboard, with its variables filled in. */
function queries(): readonly { readonly title: string; readonly query: string }[] {
  const { panels }: { panels: { title: string; targets?: { expr: string }[] }[] } = JSON.parse(
    readFileSync(join(monitoring, 'grafana-dashboard.json'), 'utf8'),
  );
  return panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr }) => ({
      title,
      query: expr.replaceAll('$instance', '.*').replaceAll('$__rate_interval', '1m'),
    })),
  );
}

/** A Prometheus in the namespace of a gateway, that scrapes it. */
class Prometheus implements AsyncDisposable {
  readonly #host: GatewayHost;
  readonly #process: ReturnType<typeof tied>;
  readonly #ended: Promise<unknown>;

  private constructor(host: GatewayHost, process: ReturnType<typeof tied>) {
    this.#host = host;
    this.#process = process;
    this.#ended = once(process, 'close');
  }

  static async start(host: GatewayHost): Promise<Prometheus> {
    const config = join(host.folder, 'prometheus.yml');
    await writeFile(
      config,
      `global: { scrape_interval: 500ms, evaluation_interval: 1s }
scrape_configs: [{ job_name: eiproute, static_configs: [{ targets: ['${listen}'] }] }]
rule_files: ['${monitoring}/eiproute.rules.yml']
`,
    );
    const argv = [
      'prometheus',
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(host.folder, 'prometheus')}`,
      '--web.listen-address=127.0.0.1:9090',
      '--log.level=error',
    ];
    return new Prometheus(host, tied(within(host.namespace, argv), { stdio: 'inherit' }));
  }

  /** Waits until a query has an answer that is not empty. */
  async has(query: string): Promise<readonly unknown[]> {
    return await until(
      `Prometheus answers ${query}`,
      async () => await this.#asked(query),
      (result) => result.length > 0,
    );
  }

  /** The alerts that it evaluates. */
  async rules(): Promise<readonly string[]> {
    const rules = await until(
      'the alerts were evaluated',
      async (): Promise<readonly { name: string; health: string }[]> => {
        const { data } = await this.#get('rules');
        return data.groups.flatMap(({ rules: each }: { rules: object[] }) => each);
      },
      (all) => all.length > 0 && all.every(({ health }) => health === 'ok'),
    );
    return rules.map(({ name }) => name);
  }

  async #asked(query: string): Promise<readonly unknown[]> {
    const answer = await this.#get(`query?query=${encodeURIComponent(query)}`);
    if (answer?.status === 'error') throw new Error(`${query}: ${answer.error}`);
    return answer?.data?.result ?? [];
  }

  /** undefined: it does not answer yet. */
  // biome-ignore lint/suspicious/noExplicitAny: the answer of another program
  async #get(path: string): Promise<any> {
    const { status, out } = await this.#host.within('curl', '-s', `http://127.0.0.1:9090/api/v1/${path}`);
    return status === 0 && out.startsWith('{') ? JSON.parse(out) : undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#ended;
  }
}
