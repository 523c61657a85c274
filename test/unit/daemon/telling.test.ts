import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { RequestError } from '../../../src/cluster/writer.ts';
import { Telling } from '../../../src/daemon/telling.ts';
import { parseIp, parsePrefix } from '../../../src/model/ip.ts';
import { type ToldAgent, toldText } from '../../../src/model/publication.ts';

const agent: ToldAgent = {
  eips: [parsePrefix('198.51.100.0/24')],
  gateways: [parseIp('10.0.0.1')],
  eipsAt: undefined,
  gatewaysAt: undefined,
};
const wider: ToldAgent = { ...agent, gateways: [parseIp('10.0.0.1'), parseIp('10.0.0.2')] };

/** A Node, and a clock that stands until the test lets it go on. */
class Stage implements AsyncDisposable {
  text: string | undefined;
  error: RequestError | undefined;
  readonly calls: string[] = [];
  readonly #stop = new AbortController();
  readonly telling: Telling;
  readonly #running: Promise<void>;
  #wake = (): void => {};
  slept = 0;

  constructor() {
    this.telling = new Telling({
      node: 'n1',
      changed: () => this.calls.push('changed'),
      annotation: {
        read: async () => {
          if (this.error) throw this.error;
          this.calls.push('read');
          return this.text;
        },
        write: async (text) => {
          this.calls.push('write');
          this.text = text;
        },
      },
      clock: {
        now: () => 0,
        time: () => 0,
        random: () => 0.5,
        sleep: (ms, signal) =>
          new Promise((resolve, reject) => {
            this.slept = ms;
            this.#wake = resolve;
            signal.addEventListener('abort', () => reject(signal.reason));
          }),
      },
    });
    this.#running = this.telling.run(this.#stop.signal);
  }

  async serves(what: ToldAgent): Promise<readonly string[]> {
    this.telling.serves(what);
    return this.#settled();
  }

  /** The rest that it takes is over. */
  async pass(): Promise<readonly string[]> {
    this.#wake();
    return this.#settled();
  }

  async #settled(): Promise<readonly string[]> {
    for (let i = 0; i < 10; i += 1) await turn();
    return this.calls.splice(0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }
}

describe('an agent that tells', () => {
  it('asks for nothing before it knows what it serves, and writes what differs alone', async () => {
    await using stage = new Stage();
    expect(await stage.pass()).to.deep.equal([]);
    expect(await stage.serves(agent)).to.deep.equal(['read', 'write']);
    expect(stage.text).to.equal(toldText(agent));
    expect(await stage.serves({ ...agent })).to.deep.equal([]);
    expect(await stage.pass()).to.deep.equal(['read']);
    expect(await stage.serves(wider)).to.deep.equal(['read', 'write']);
  });

  it('writes it anew where the Node was made anew', async () => {
    await using stage = new Stage();
    await stage.serves(agent);
    stage.text = undefined;
    expect(stage.slept).to.equal(600_000);
    expect(await stage.pass()).to.deep.equal(['read', 'write']);
  });

  it('writes nothing after a restart when the Node has it already', async () => {
    await using stage = new Stage();
    stage.text = toldText(agent);
    expect(await stage.serves(agent)).to.deep.equal(['read']);
  });

  it('says that it may not, tries again, and says no more when it may', async () => {
    await using stage = new Stage();
    stage.error = new RequestError('patch nodes: HTTP 403: forbidden', 'it needs the rule', true);
    expect(await stage.serves(agent)).to.deep.equal(['changed']);
    expect(stage.telling.problems().map(({ code, advice }) => `${code}: ${advice}`)).to.deep.equal([
      'agent-not-told: it needs the rule; or say that it is not told: follow: { tell: false }',
    ]);
    expect(stage.slept).to.equal(1000);
    await stage.pass();
    expect(stage.slept).to.equal(2000);
    stage.error = undefined;
    expect(await stage.pass()).to.deep.equal(['read', 'write', 'changed']);
    expect(stage.telling.problems()).to.deep.equal([]);
  });

  it('has no problem of its own when the API is away', async () => {
    await using stage = new Stage();
    stage.error = new RequestError('connection refused', 'check', false);
    await stage.serves(agent);
    expect(stage.telling.problems()).to.deep.equal([]);
  });
});
