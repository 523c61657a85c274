import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseIp } from '../../../src/model/ip.ts';
import { api, podNetworks, serviceNetworks } from '../../network/map.ts';
import type { Network } from '../../network/network.ts';
import { Process } from '../../process/process.ts';
import { serverCertificate } from '../api/certificate.ts';
import type { JsonObject } from '../api/json.ts';
import { ApiClient } from '../api-client.ts';
import { Gate } from '../gate.ts';
import { kubeconfigOf } from '../kubeconfig.ts';
import type { Component, Programs } from './programs.ts';

export interface ControlPlaneOptions {
  /** Further flags of kube-apiserver: `--goaway-chance=0.02`. */
  readonly apiServerFlags?: readonly string[];
  /** Requests a second of the controllers, and how many at once. 20 and 30 are what every cluster has. */
  readonly controllerQps?: number;
  /** s after which a Node whose kubelet is silent is no longer Ready; absent: never. */
  readonly nodeGraceSeconds?: number;
  /** Of several in one lab, from 0: each has a folder and ports of its own. Absent: 0. */
  readonly number?: number;
}

type Part = Exclude<Component, 'kube-proxy'>;

/** What makes endpoints, service accounts, Deployments and the life of Nodes; no other controller is needed here. */
const controllers = [
  'deployment-controller',
  'daemonset-controller',
  'endpointslice-controller',
  'garbage-collector-controller',
  'namespace-controller',
  'node-lifecycle-controller',
  'replicaset-controller',
  'root-ca-certificate-publisher-controller',
  'serviceaccount-controller',
  'serviceaccount-token-controller',
  'taint-eviction-controller',
];

/** Of the first; another one has ports that are so much higher. */
const ports = { api: 6443, client: 2379, peer: 2380, manager: 10257 };
const apart = 1000;
const issuer = 'https://kubernetes.default.svc';
/** ms; the API server is ready after 3 s on an idle machine */
const patience = 60_000;

/** etcd, kube-apiserver and kube-controller-manager as processes in the namespace `api` of a lab's network. */
export class ControlPlane implements AsyncDisposable {
  readonly client: ApiClient;
  readonly programs: Programs;
  readonly #network: Network;
  readonly #options: ControlPlaneOptions;
  readonly #folder: string;
  readonly #authority: string;
  readonly #accounts: KeyObject;
  readonly #gate: Gate;
  readonly #tokens: Tokens;
  readonly #parts = new Map<Part, Process>();
  readonly #ports: typeof ports;
  readonly #server: string;

  private constructor(
    network: Network,
    programs: Programs,
    options: ControlPlaneOptions,
    { folder, authority, accounts, gate, tokens }: Access,
  ) {
    this.programs = programs;
    this.#network = network;
    this.#options = options;
    this.#folder = folder;
    this.#authority = authority;
    this.#accounts = accounts;
    this.#gate = gate;
    this.#tokens = tokens;
    this.#ports = portsOf(options);
    this.#server = serverOf(options);
    this.client = new ApiClient({ url: gate.url, authority, token: tokens.admin });
  }

  /** Starts all three; resolves when the API is ready. */
  static async start(
    network: Network,
    programs: Programs,
    options: ControlPlaneOptions = {},
  ): Promise<ControlPlane> {
    await using stack = new AsyncDisposableStack();
    const { number = 0 } = options;
    const folder = join(network.folder, number === 0 ? 'kubernetes' : `kubernetes-${number + 1}`);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const { authority, accounts } = await writeKeys(folder);
    const tokens = await writeTokens(folder);
    const port = portsOf(options).api;
    const gate = stack.use(await Gate.open({ namespace: network.namespace('api'), host: api.v4, port }));
    const plane = new ControlPlane(network, programs, options, {
      folder,
      authority,
      accounts,
      gate,
      tokens,
    });
    const kubeconfig = kubeconfigOf(serverOf(options), authority, { token: tokens.manager });
    await writeFile(join(folder, 'manager.kubeconfig'), kubeconfig, { mode: 0o600 });
    stack.use(plane);
    await plane.start('etcd');
    await plane.start('kube-apiserver');
    await plane.ready();
    await plane.start('kube-controller-manager');
    stack.move();
    return plane;
  }

  /**
   * A kubeconfig that works in every namespace of the network.
   *
   * @param user what a kubeconfig says of a user: `{ token }`, `{ tokenFile }`
   */
  kubeconfig(user: JsonObject): string {
    return kubeconfigOf(this.#server, this.#authority, user);
  }

  /** A token of a service account, signed as kube-apiserver signs them. @param expires s since the epoch */
  signToken(account: Account, expires: number): string {
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const claims = {
      iss: issuer,
      sub: `system:serviceaccount:${account.namespace}:${account.name}`,
      aud: [issuer],
      iat: expires - 3600,
      nbf: expires - 3600,
      exp: expires,
      'kubernetes.io': {
        namespace: account.namespace,
        serviceaccount: { name: account.name, uid: account.uid },
      },
    };
    const text = `${part({ alg: 'ES256' })}.${part(claims)}`;
    const key = { key: this.#accounts, dsaEncoding: 'ieee-p1363' } as const;
    return `${text}.${sign('sha256', Buffer.from(text), key).toString('base64url')}`;
  }

  /** The administrator's, for the machine itself. */
  machineKubeconfig(): string {
    return kubeconfigOf(this.#gate.url, this.#authority, { token: this.#tokens.admin });
  }

  /** The administrator's, inside the network. */
  adminKubeconfig(): string {
    return this.kubeconfig({ token: this.#tokens.admin });
  }

  /** kube-proxy's. */
  proxyKubeconfig(): string {
    return this.kubeconfig({ token: this.#tokens.proxy });
  }

  /** Starts a part that does not run, and does not wait. */
  async start(part: Part): Promise<void> {
    if (this.#parts.has(part)) throw new Error(`${part} runs`);
    const process = await Process.start({
      namespace: this.#network.namespace('api'),
      argv: [...this.programs.argv[part], ...this.#flags(part)],
      log: join(this.#folder, `${part}.log`),
    });
    this.#parts.set(part, process);
  }

  /** Kills a part: its connections are cut. What etcd holds is on disk. */
  async kill(part: Part): Promise<void> {
    const process = this.#parts.get(part);
    this.#parts.delete(part);
    await process?.[Symbol.asyncDispose]();
  }

  /** Lets a part ask and answer nothing until it gets SIGCONT; its connections stay open. */
  signal(part: Part, name: 'SIGSTOP' | 'SIGCONT'): void {
    this.#parts.get(part)?.signal(name);
  }

  /** The process of a part; undefined: it does not run. */
  pid(part: Part): number | undefined {
    return this.#parts.get(part)?.pid;
  }

  /** Resolves when /readyz says ok. @throws Error with the end of the log of kube-apiserver */
  async ready(): Promise<void> {
    const server = this.#parts.get('kube-apiserver');
    if (server === undefined) throw new Error('kube-apiserver does not run');
    await server.serves('the API server is ready', () => this.#isReady(), AbortSignal.timeout(patience));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client[Symbol.asyncDispose]();
    for (const part of [...this.#parts.keys()].reverse()) await this.kill(part);
    await this.#gate[Symbol.asyncDispose]();
  }

  async #isReady(): Promise<true | undefined> {
    return (await this.client.text('/readyz', AbortSignal.timeout(2000))) === 'ok' ? true : undefined;
  }

  #flags(part: Part): readonly string[] {
    const at = (name: string): string => join(this.#folder, name);
    const etcd = `http://127.0.0.1:${this.#ports.client}`;
    const { apiServerFlags = [], controllerQps = 20, nodeGraceSeconds = 8760 * 3600 } = this.#options;
    switch (part) {
      case 'etcd':
        return [
          `--data-dir=${at('etcd')}`,
          '--unsafe-no-fsync', // it need not outlive the machine
          '--log-level=warn',
          '--quota-backend-bytes=4294967296',
          `--listen-client-urls=${etcd}`,
          `--advertise-client-urls=${etcd}`,
          `--listen-peer-urls=http://127.0.0.1:${this.#ports.peer}`,
        ];
      case 'kube-apiserver':
        return [
          `--etcd-servers=${etcd}`,
          '--bind-address=::',
          `--secure-port=${this.#ports.api}`,
          `--advertise-address=${api.v4}`,
          `--tls-cert-file=${at('server.crt')}`,
          `--tls-private-key-file=${at('server.key')}`,
          `--token-auth-file=${at('tokens.csv')}`,
          '--authorization-mode=Node,RBAC',
          `--service-account-issuer=${issuer}`,
          `--service-account-key-file=${at('accounts.key')}`,
          `--service-account-signing-key-file=${at('accounts.key')}`,
          `--service-cluster-ip-range=${serviceNetworks.join(',')}`,
          `--cert-dir=${at('own')}`,
          ...apiServerFlags,
        ];
      case 'kube-controller-manager':
        return [
          `--kubeconfig=${at('manager.kubeconfig')}`,
          `--secure-port=${this.#ports.manager}`,
          `--authentication-kubeconfig=${at('manager.kubeconfig')}`,
          `--authorization-kubeconfig=${at('manager.kubeconfig')}`,
          `--service-account-private-key-file=${at('accounts.key')}`,
          `--root-ca-file=${at('ca.crt')}`,
          '--use-service-account-credentials',
          '--leader-elect=false',
          `--cluster-cidr=${podNetworks.join(',')}`,
          '--allocate-node-cidrs=false',
          `--cert-dir=${at('own')}`,
          `--controllers=${controllers.join(',')}`,
          `--node-monitor-grace-period=${nodeGraceSeconds}s`,
          `--kube-api-qps=${controllerQps}`,
          `--kube-api-burst=${controllerQps * 1.5}`,
        ];
    }
  }
}

function portsOf({ number = 0 }: ControlPlaneOptions): typeof ports {
  const { api: port, client, peer, manager } = ports;
  const more = number * apart;
  return { api: port + more, client: client + more, peer: peer + more, manager: manager + more };
}

function serverOf(options: ControlPlaneOptions): string {
  return `https://${api.v4}:${portsOf(options).api}`;
}

/** A service account. */
interface Account {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

interface Access extends Keys {
  readonly folder: string;
  readonly gate: Gate;
  readonly tokens: Tokens;
}

interface Tokens {
  readonly admin: string;
  readonly manager: string;
  readonly proxy: string;
}

interface Keys {
  /** The certificate that signed the server's; PEM. */
  readonly authority: string;
  /** What signs the tokens of service accounts. */
  readonly accounts: KeyObject;
}

async function writeKeys(folder: string): Promise<Keys> {
  const addresses = [api.v4, api.v6, '127.0.0.1', '10.96.0.1'].map(parseIp);
  const { authority, certificate, key } = serverCertificate(addresses, ['kubernetes', 'localhost']);
  const accounts = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const files = {
    'ca.crt': authority,
    'server.crt': certificate,
    'server.key': key,
    'accounts.key': accounts.export({ type: 'sec1', format: 'pem' }),
  };
  for (const [name, text] of Object.entries(files))
    await writeFile(join(folder, name), text, { mode: 0o600 });
  return { authority, accounts };
}

async function writeTokens(folder: string): Promise<Tokens> {
  const [admin, manager, proxy] = [token(), token(), token()];
  const lines = [
    `${admin},admin,admin,system:masters`,
    `${manager},system:kube-controller-manager,manager`,
    `${proxy},system:kube-proxy,proxy`,
  ];
  await writeFile(join(folder, 'tokens.csv'), `${lines.join('\n')}\n`, { mode: 0o600 });
  return { admin, manager, proxy };
}

function token(): string {
  return randomBytes(16).toString('hex');
}
