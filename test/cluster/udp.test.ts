import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { expect } from 'chai';
import { ready } from '../../lab/cluster/cluster.ts';
import { within } from '../../lab/process/run.ts';
import { tied } from '../e2e/tied.ts';
import { Stage } from '../lab/stage.ts';
import { needKubernetes, real } from './kind.ts';

/** Sends on and on, and prints which pod answers. */
const client = `
  const [to] = process.argv.slice(1);
  const socket = require('node:dgram').createSocket({ type: to.includes(':') ? 'udp6' : 'udp4', ipv6Only: to.includes(':') });
  socket.on('message', (bytes) => console.log(String(bytes).split(' ')[0]));
  socket.bind(4321);
  setInterval(() => socket.send('.', 5353, to, () => {}), 20);
`;

/** A client that goes on sending from one port, as DNS resolvers and games do: one conntrack entry on the node for ever. */
class Sender implements Disposable {
  /** The pods that answered, in order. */
  readonly answers: string[] = [];
  readonly to: string;
  readonly #child: ChildProcess;

  constructor(namespace: string, to: string) {
    this.to = to;
    this.#child = tied(within(namespace, [process.execPath, '-e', client, to]), {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    if (this.#child.stdout === null) throw new Error('no pipe from the client');
    createInterface({ input: this.#child.stdout }).on('line', (pod) => this.answers.push(pod));
  }

  [Symbol.dispose](): void {
    this.#child.kill('SIGKILL');
  }
}

for (const mode of ['nftables', 'iptables'] as const) {
  describe(`UDP from one port, real kube-proxy (${mode})`, () => {
    let stage: Stage;
    before(async function () {
      await needKubernetes(this);
      stage = await Stage.open(real(mode));
      await stage.layPods();
    });
    after(async () => {
      await stage?.[Symbol.asyncDispose]();
    });

    for (const policy of ['Cluster', 'Local'] as const) {
      it(`follows the backend of a ${policy} Service that moves and comes back: kube-proxy clears its entries`, async () => {
        const { cluster, network, proxy } = stage.lab;
        const name = `udp-${policy.toLowerCase()}`;
        const ports = [{ name: 'udp', protocol: 'UDP', port: 5353, targetPort: 8080 }];
        await cluster.createService({ name, policy, spec: { ports } }, ready(stage.pods('web-1')));
        await stage.serving(name);
        await proxy.settled();
        using stack = new DisposableStack();
        const senders = stage.ips(name).map((ip) => stack.use(new Sender(network.namespace('client'), ip)));
        expect(senders).to.not.have.length(0);
        const answered = async (pod: string): Promise<void> => {
          for (const { to, answers } of senders) {
            // Often enough that a flow which goes back and forth is seen.
            const isSteady = (): boolean => answers.slice(-50).filter((by) => by === pod).length === 50;
            await stage.until(`${pod} answers at ${to}`, isSteady);
          }
        };
        await answered('web-1');
        for (const pod of ['web-2', 'web-3', 'web-1']) {
          await cluster.setBackends(name, ready(stage.pods(pod)));
          await answered(pod);
        }
        for (const { to, answers } of senders) {
          const turns = answers.filter((pod, i) => pod !== answers[i - 1]);
          expect(turns, to).to.deep.equal(['web-1', 'web-2', 'web-3', 'web-1']);
        }
        await stage.gone(name);
      });
    }
  });
}
