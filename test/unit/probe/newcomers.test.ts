import { expect } from 'chai';
import type { Node } from '../../../src/model/cluster.ts';
import { type Ip, parseIp } from '../../../src/model/ip.ts';
import type { Answer } from '../../../src/probe/eip-question.ts';
import { Inquiry } from '../../../src/probe/inquiry.ts';
import { Newcomers } from '../../../src/probe/newcomers.ts';
import { node } from '../../scene.ts';

const n1 = parseIp('10.0.0.11');
const n2 = parseIp('10.0.0.12');
const n3 = parseIp('10.0.0.13');
const eip = parseIp('198.51.100.10');

class World {
  readonly says = new Map<Ip, Answer>([[n1, 'serves']]);
  hasSample = true;
  control = n1;
  now = 0;
  readonly newcomers: Newcomers;
  readonly #inquiry: Inquiry;
  readonly #signal = new AbortController().signal;

  constructor() {
    this.#inquiry = new Inquiry({
      ask: async ({ mark }) => this.says.get([n1, n2, n3][mark] ?? n3) ?? 'no answer',
      mark: (via) => [n1, n2, n3].indexOf(via),
    });
    const sample = () => (this.hasSample ? { eip, ports: [80], control: this.control } : undefined);
    this.newcomers = new Newcomers({ sample }, this.#inquiry);
  }

  read(
    names: readonly string[],
    { silent = [], of = {} }: { silent?: readonly Ip[]; of?: Partial<Node> } = {},
  ): void {
    const nodes = names.map((name) => node(name, [name === 'n1' ? '10.0.0.11' : '10.0.0.12'], of));
    this.newcomers.read(nodes, new Set(silent), () => this.now > 0, this.now);
  }

  async turns(count: number): Promise<void> {
    for (let turn = 0; turn < count; turn += 1) {
      this.now += 25;
      this.#inquiry.turn();
      this.newcomers.turn(this.now, 2000, this.#signal);
      await new Promise(setImmediate);
    }
  }

  get waiting(): string {
    return [...this.newcomers.waiting].join(' ');
  }
}

/** @returns a world in which n1 was there at the start */
function begun(...names: readonly string[]): World {
  const world = new World();
  world.read(names);
  world.now = 1000;
  return world;
}

describe('nodes that come', () => {
  it('do not wait with the address of a Node that is there and gets traffic: it is the same machine', async () => {
    const world = begun('n1', 'n2');
    world.read(['n1', 'n2', 'another-name']);
    expect(world.waiting).to.equal('');
    world.read(['n1', 'another-name']);
    expect(world.waiting).to.equal('');
    // The address was free meanwhile: it may be another machine.
    world.read(['n1']);
    world.read(['n1', 'n2']);
    expect(world.waiting).to.equal('10.0.0.12');
  });

  it('wait until they answer for an EIP that others answer for, for as long as it takes', async () => {
    for (const says of ['refuses', 'no answer'] as const) {
      const world = begun('n1');
      world.says.set(n2, says);
      world.read(['n1', 'n2']);
      expect(world.waiting).to.equal('10.0.0.12');
      await world.turns(1000);
      expect(world.waiting).to.equal('10.0.0.12');
      world.says.set(n2, 'serves');
      await world.turns(500);
      expect(world.waiting).to.equal('');
      expect(world.newcomers.isIdle).to.equal(true);
    }
  });

  it('do not wait when they were there before this program, or there is nothing to ask for', () => {
    const world = begun('n1', 'n2');
    expect(world.waiting).to.equal('');
    const bare = begun('n1');
    bare.hasSample = false;
    bare.read(['n1', 'n2']);
    expect(bare.waiting).to.equal('');
  });

  it('do not wait for long when nobody answers: then nothing is known', async () => {
    const world = begun('n1');
    world.says.clear();
    world.read(['n1', 'n2']);
    await world.turns(70);
    expect(world.waiting).to.equal('10.0.0.12');
    await world.turns(20);
    expect(world.waiting).to.equal('');
  });

  it('do not wait for long when the other node has gone, and nobody answers in its place', async () => {
    const world = begun('n1');
    world.read(['n1', 'n2']);
    await world.turns(100);
    expect(world.waiting).to.equal('10.0.0.12');
    world.control = n3;
    await world.turns(1);
    expect(world.waiting).to.equal('');
  });

  it('wait when they are back from silence, or were made anew, and not when they fall silent or go', () => {
    const world = begun('n1', 'n2');
    world.read(['n1', 'n2'], { silent: [n2] });
    expect(world.waiting).to.equal('');
    world.read(['n1', 'n2']);
    expect(world.waiting).to.equal('10.0.0.12');
    world.read(['n1', 'n2'], { silent: [n2] });
    expect(world.waiting).to.equal('');
    world.read(['n1', 'n2']);
    world.read(['n1']);
    expect(world.waiting).to.equal('');
    world.read(['n1', 'n2']);
    expect(world.waiting).to.equal('10.0.0.12');
  });

  it('wait when a Node of the same name is another one', () => {
    const world = begun('n1');
    world.read(['n1'], { of: { uid: 'another' } });
    expect(world.waiting).to.equal('10.0.0.11');
  });
});
