import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

export interface GateRoute {
  /** The full name of a network namespace. */
  readonly namespace: string;
  /** Where connections lead to, seen from there. */
  readonly host: string;
  readonly port: number;
}

/** A port of the machine's own 127.0.0.1 that leads to the API of a lab, in its namespace. */
export class Gate implements AsyncDisposable {
  /** `https://127.0.0.1:34567` */
  readonly url: string;
  readonly #worker: Worker;

  private constructor(worker: Worker, port: number) {
    this.#worker = worker;
    this.url = `https://127.0.0.1:${port}`;
  }

  static async open(route: GateRoute): Promise<Gate> {
    const worker = new Worker(new URL('./gate.worker.ts', import.meta.url), { workerData: route });
    const [port]: number[] = await once(worker, 'message');
    if (port === undefined) throw new Error('the gate has no port');
    // It must not keep a finished process waiting.
    worker.unref();
    return new Gate(worker, port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }
}
