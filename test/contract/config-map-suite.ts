import { expect } from 'chai';
import type { ConfigMapPort, ConfigMapState } from '../../src/cluster/config-map.ts';
import { late } from '../patience.ts';

/** A ConfigMap under test, and a hand that changes it behind the back of the port. */
export interface ConfigMapFixture extends AsyncDisposable {
  readonly port: ConfigMapPort;
  put(data: Readonly<Record<string, string>>): Promise<void>;
  delete(): Promise<void>;
  /** The API answers nobody any more, or again. */
  cut(): Promise<void>;
  mend(): Promise<void>;
  /** Writes that have arrived. */
  writes(): number;
}

const never = new AbortController().signal;

/** The first state for which something holds; fails after 8 s with what it saw last. */
async function until(
  port: ConfigMapPort,
  holds: (state: ConfigMapState) => boolean,
): Promise<ConfigMapState> {
  const stop = new AbortController();
  const changes = port.changes(AbortSignal.any([late(), stop.signal]));
  if (holds(port.state)) return port.state;
  for await (const _ of changes) {
    if (!holds(port.state)) continue;
    stop.abort();
    return port.state;
  }
  throw new Error(`it never came to that; at last: ${JSON.stringify(port.state)}`);
}

/** What every kind of ConfigMap promises. */
export function configMapContract(name: string, open: () => Promise<ConfigMapFixture>): void {
  describe(`a ConfigMap from ${name}`, () => {
    it('is not there until it is made, and follows what is put', async () => {
      await using stage = await open();
      const { port } = stage;
      expect(await until(port, ({ synced }) => synced)).to.deep.equal({
        synced: true,
        object: undefined,
        trouble: undefined,
      });
      await stage.put({ b: '2', a: '1' });
      const made = await until(port, ({ object }) => object !== undefined);
      expect([...(made.object?.data ?? [])]).to.deep.equal([
        ['a', '1'],
        ['b', '2'],
      ]);
      await stage.put({ a: '1' });
      const less = await until(port, ({ object }) => object?.data.size === 1);
      expect(less.object?.uid).to.equal(made.object?.uid);
    });

    it('has another uid after it was deleted and made again', async () => {
      await using stage = await open();
      await until(stage.port, ({ synced }) => synced);
      await stage.put({ a: '1' });
      const { object } = await until(stage.port, (state) => state.object !== undefined);
      await stage.delete();
      await until(stage.port, (state) => state.object === undefined);
      await stage.put({ a: '1' });
      const again = await until(stage.port, (state) => state.object !== undefined);
      expect(again.object?.uid).to.not.equal(object?.uid);
      expect(again.object?.data).to.deep.equal(object?.data);
    });

    it('sets one key and leaves the others', async () => {
      await using stage = await open();
      await until(stage.port, ({ synced }) => synced);
      await stage.put({ other: '1' });
      await until(stage.port, ({ object }) => object !== undefined);
      expect(await stage.port.set('own', 'x', never)).to.deep.equal({ kind: 'done' });
      const state = await until(stage.port, ({ object }) => object?.data.get('own') === 'x');
      expect(state.object?.data.get('other')).to.equal('1');
      expect(stage.writes()).to.equal(1);
    });

    it('makes no object that is not there', async () => {
      await using stage = await open();
      await until(stage.port, ({ synced }) => synced);
      expect(await stage.port.set('own', 'x', never)).to.deep.equal({ kind: 'gone' });
      expect(stage.port.state.object).to.equal(undefined);
    });

    it('keeps what it has while it cannot be read, and says why', async () => {
      await using stage = await open();
      await until(stage.port, ({ synced }) => synced);
      await stage.put({ a: '1' });
      const { object } = await until(stage.port, (state) => state.object !== undefined);
      await stage.cut();
      const cut = await until(stage.port, ({ trouble }) => trouble !== undefined);
      expect(cut.object).to.equal(object);
      expect(cut.trouble?.message).to.match(/\w/);
      await stage.mend();
      await stage.put({ a: '2' });
      const mended = await until(stage.port, (state) => state.object?.data.get('a') === '2');
      expect((await until(stage.port, ({ trouble }) => trouble === undefined)).object).to.equal(
        mended.object,
      );
    });
  });
}
