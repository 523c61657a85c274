import { Worker } from 'node:worker_threads';
import type { Answer, Order } from './pod-servers.worker.ts';

/**
 * The HTTP servers of all pods, in one thread: a socket stays in the namespace it was opened in, so a pod costs
 * a socket and no process. A thread of its own, so that nothing the demo or a test does delays an answer.
 */
export class PodServers implements AsyncDisposable {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, PromiseWithResolvers<void>>();
  #count = 0;

  constructor() {
    this.#worker = new Worker(new URL('./pod-servers.worker.ts', import.meta.url));
    this.#worker.on('message', (answer: Answer) => {
      const waiting = this.#waiting.get(answer.number);
      this.#waiting.delete(answer.number);
      if (answer.error === undefined) waiting?.resolve();
      else waiting?.reject(new Error(answer.error));
    });
    this.#worker.on('error', (cause) => this.#fail(new Error('the pods stopped answering', { cause })));
    this.#worker.unref();
  }

  /** Serves HTTP (TCP) and echoes UDP on `port` of a namespace, both with the pod's name. */
  open(name: string, namespace: string, port: number): Promise<void> {
    return this.#order({ verb: 'open', name, namespace, port });
  }

  /** Refuses new connections and cuts the open ones. */
  close(name: string): Promise<void> {
    return this.#order({ verb: 'close', name });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
    this.#fail(new Error('the network is being taken down'));
  }

  async #order(order: Order): Promise<void> {
    this.#count += 1;
    const number = this.#count;
    const waiting = Promise.withResolvers<void>();
    this.#waiting.set(number, waiting);
    this.#worker.ref();
    this.#worker.postMessage({ number, order });
    try {
      await waiting.promise;
    } finally {
      // Alone it does not keep a finished process from ending.
      if (this.#waiting.size === 0) this.#worker.unref();
    }
  }

  #fail(error: Error): void {
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
  }
}
