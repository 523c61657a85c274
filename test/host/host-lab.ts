import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { type Cluster, ready } from '../../lab/cluster/cluster.ts';
import { embedded, type Lab, openLab } from '../../lab/lab.ts';
import type { Clients, Load } from '../../lab/load/load.ts';
import { eip, gateway, node, pools, upstream } from '../../lab/network/map.ts';
import type { Network, Pod } from '../../lab/network/network.ts';
import { type Outcome, outcome, run, within } from '../../lab/process/run.ts';
import { Container } from './container.ts';
import { rootfs } from './rootfs.ts';

/** The Service that everybody asks. */
export const web = { name: 'web', eip: eip(1), policy: 'Cluster' } as const;

/**
 * A lab with a Debian and its systemd on the gateway and on two nodes; and a place on the LAN from which Ansible
 * reaches them by ssh.
 */
export class HostLab implements AsyncDisposable {
  readonly folder: string;
  readonly gateway: Container;
  readonly nodes: readonly Container[];
  readonly network: Network;
  readonly cluster: Cluster;
  readonly #clients: Clients;
  readonly #stack: AsyncDisposableStack;

  private constructor(folder: string, lab: Lab, hosts: readonly Container[], stack: AsyncDisposableStack) {
    const [first, ...rest] = hosts;
    if (first === undefined) throw new Error('a lab without a gateway');
    this.folder = folder;
    this.gateway = first;
    this.nodes = rest;
    this.network = lab.network;
    this.cluster = lab.cluster;
    this.#clients = lab.clients;
    this.#stack = stack;
  }

  static async open(): Promise<HostLab> {
    await using stack = new AsyncDisposableStack();
    const base = await rootfs();
    const folder = await mkdtemp('/var/tmp/eip-lab-');
    stack.defer(() => rm(folder, { recursive: true, force: true }));
    await run({ argv: ['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', join(folder, 'id')] });
    const lab = stack.use(await openLab({ nodes: 2, nodeRouting: 'by agents' }, embedded));
    const { network, cluster } = lab;
    const hosts: Container[] = [];
    for (const name of ['gateway', ...network.nodes]) {
      hosts.push(stack.use(await Container.start(name, network.namespace(name), base, folder)));
    }
    const pods: Pod[] = [];
    for (const name of network.nodes) pods.push(await network.addPod(`web-${name}`, name));
    await cluster.createService(web, ready(pods));
    await lab.proxy.settled();
    await cluster.writeKubeconfig(join(folder, 'kubeconfig'));
    await Promise.all(hosts.map((host) => host.booted()));
    const managed = new HostLab(folder, lab, hosts, stack.move());
    await managed.#writeInventory();
    return managed;
  }

  /** The hosts in Ansible's inventory. */
  get managed(): readonly Container[] {
    return [this.gateway, ...this.nodes];
  }

  /** Requests to the Service from the client's side, one every `every` ms, each counted. */
  load(every = 20): Load {
    return this.#clients.start({ to: [web.eip.v4, web.eip.v6], port: 80, every });
  }

  /** One request, as a person would make it. */
  curl(url = `http://${web.eip.v4}/`): Promise<Outcome> {
    return this.network.outcome('client', {
      argv: ['curl', '--silent', '--show-error', '--max-time', '20', url],
    });
  }

  /** Runs `ansible-playbook`, or another of its commands, in `ansible/`, from a host on the LAN. */
  ansible(command: string, ...args: readonly string[]): Promise<Outcome> {
    const env = [
      'env',
      '--chdir=ansible',
      'ANSIBLE_NOCOLOR=1',
      `ANSIBLE_LOCAL_TEMP=${join(this.folder, 'ansible')}`,
      `ANSIBLE_SSH_CONTROL_PATH_DIR=${join(this.folder, 'ssh')}`,
      'LC_ALL=C.UTF-8',
    ];
    return outcome({ argv: within(this.network.namespace('api'), [...env, command, ...args]) });
  }

  /** The content of the gateway's configuration. */
  get settings() {
    return {
      lan: 'eth0',
      uplink: 'eth1',
      defaultRoute: { via: [upstream.outer.v4, upstream.outer.v6] },
      pools: [{ name: 'public', addresses: [...pools] }],
      kubeconfig: '/etc/eiproute/kubeconfig',
    };
  }

  get inventory(): string {
    return join(this.folder, 'hosts.yml');
  }

  async #writeInventory(): Promise<void> {
    const ssh = {
      ansible_user: 'root',
      ansible_ssh_private_key_file: join(this.folder, 'id'),
      ansible_ssh_common_args:
        '-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR',
      ansible_python_interpreter: '/usr/bin/python3',
    };
    const host = (ip: string): object => ({ ansible_host: ip });
    const nodes = Object.fromEntries(this.network.nodes.map((name, i) => [name, host(node(i + 1).v4)]));
    await writeFile(
      this.inventory,
      stringify({
        all: {
          vars: ssh,
          children: {
            gateways: {
              hosts: { gateway: host(gateway.lan.v4) },
              vars: { gateway_config: this.settings, gateway_kubeconfig: join(this.folder, 'kubeconfig') },
            },
            nodes: {
              hosts: nodes,
              vars: { node_config: { eips: [...pools], gateways: [gateway.lan.v4, gateway.lan.v6] } },
            },
          },
        },
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}
