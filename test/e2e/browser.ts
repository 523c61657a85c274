import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { within } from '../../lab/process/run.ts';
import { tied } from './tied.ts';
import { until } from './until.ts';

/** What the browser tells by itself. */
interface BrowserEvent {
  readonly method: string;
  // biome-ignore lint/suspicious/noExplicitAny: messages of the DevTools protocol
  readonly params: any;
}

/** A Chromium in a namespace, with one page, driven by the DevTools protocol over a pipe. */
export class Browser implements AsyncDisposable {
  /** Everything that the page has written to its console or not caught. */
  readonly errors: string[] = [];
  /** Every address that the page has asked for. */
  readonly requests: string[] = [];
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly #folder: string;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #session: string | undefined;
  #last = 0;

  private constructor(child: ChildProcess, folder: string) {
    this.#child = child;
    this.#folder = folder;
    this.#ended = once(child, 'close');
    let rest = '';
    const output = child.stdio[4] as Readable;
    output.setEncoding('utf8').on('data', (text: string) => {
      const messages = `${rest}${text}`.split('\0');
      rest = messages.pop() ?? '';
      for (const message of messages) this.#hear(JSON.parse(message));
    });
  }

  static async start(namespace: string): Promise<Browser> {
    const folder = await mkdtemp(join(tmpdir(), 'eip-chromium-'));
    const argv = [
      'chromium',
      '--headless=new',
      // The tests run as root, in a namespace of their own; the page is ours.
      '--no-sandbox',
      '--disable-gpu',
      '--no-first-run',
      '--disable-background-networking',
      '--remote-debugging-pipe',
      `--user-data-dir=${folder}`,
      'about:blank',
    ];
    const child = tied(within(namespace, argv), { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
    const browser = new Browser(child, folder);
    const { targetInfos } = await until(
      'there is a page',
      () => browser.#send<{ targetInfos: { type: string; targetId: string }[] }>('Target.getTargets'),
      (found) => found.targetInfos.some(({ type }) => type === 'page'),
    );
    const page = targetInfos.find(({ type }) => type === 'page');
    const { sessionId } = await browser.#send<{ sessionId: string }>('Target.attachToTarget', {
      targetId: page?.targetId,
      flatten: true,
    });
    browser.#session = sessionId;
    for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await browser.#send(`${domain}.enable`);
    return browser;
  }

  async open(address: string): Promise<void> {
    await this.#send('Page.navigate', { url: address });
  }

  /** The viewport. */
  async size(width: number, height: number, scheme: 'light' | 'dark' = 'light'): Promise<void> {
    await this.#send('Emulation.setDeviceMetricsOverride', {
      width,
      height,
      deviceScaleFactor: 1,
      mobile: width < 600,
    });
    await this.#send('Emulation.setEmulatedMedia', {
      features: [
        { name: 'prefers-color-scheme', value: scheme },
        // A picture is the same whenever it is taken.
        { name: 'prefers-reduced-motion', value: 'reduce' },
      ],
    });
  }

  /** The value of an expression in the page. */
  async evaluate<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await this.#send<{
      result: { value: T };
      exceptionDetails?: { text: string; exception?: { description?: string } };
    }>('Runtime.evaluate', { expression, returnByValue: true, awaitPromise: true });
    if (exceptionDetails !== undefined)
      throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  /** The text of an element. */
  async text(selector: string): Promise<string> {
    return await this.evaluate(`document.querySelector(${JSON.stringify(selector)})?.innerText ?? ''`);
  }

  /** Waits until the text of an element matches. */
  async shows(selector: string, pattern: RegExp): Promise<string> {
    return await until(
      `${selector} shows ${pattern}`,
      () => this.text(selector),
      (text) => pattern.test(text),
    );
  }

  /** PNG */
  async picture(): Promise<Buffer> {
    const { data } = await this.#send<{ data: string }>('Page.captureScreenshot', { format: 'png' });
    return Buffer.from(data, 'base64');
  }

  #send<T>(method: string, params: object = {}): Promise<T> {
    this.#last += 1;
    const waiting = Promise.withResolvers<unknown>();
    this.#waiting.set(this.#last, waiting);
    const session = this.#session === undefined ? {} : { sessionId: this.#session };
    const input = this.#child.stdio[3] as Writable;
    input.write(`${JSON.stringify({ id: this.#last, method, params, ...session })}\0`);
    return waiting.promise as Promise<T>;
  }

  #hear(
    message: BrowserEvent & { id?: number; result?: unknown; error?: { readonly message: string } },
  ): void {
    if (message.id !== undefined) {
      const waiting = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if (message.error) waiting?.reject(new Error(message.error.message));
      else waiting?.resolve(message.result);
      return;
    }
    const { method, params } = message;
    if (method === 'Network.requestWillBeSent') this.requests.push(params.request.url);
    if (method === 'Runtime.exceptionThrown') this.errors.push(JSON.stringify(params.exceptionDetails));
    if (method === 'Log.entryAdded' && params.entry.level === 'error') this.errors.push(params.entry.text);
    if (method === 'Runtime.consoleAPICalled') this.errors.push(JSON.stringify(params.args));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
