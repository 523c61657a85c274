import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Process } from '../../lab/process/process.ts';
import { outcome, run, within } from '../../lab/process/run.ts';
import { waitFor } from '../../lab/process/wait.ts';
import { late } from '../patience.ts';

/** Where a routing daemon runs, and where its files go: a folder of its own. */
export interface Place {
  /** The full name of a network namespace. */
  readonly namespace: string;
  readonly folder: string;
}

/** One BIRD 2. */
export class Bird implements AsyncDisposable {
  readonly #place: Place;
  #process: Process;

  private constructor(place: Place, process: Process) {
    this.#place = place;
    this.#process = process;
  }

  /** Writes the configuration, checks it with `bird -p`, starts the daemon, and waits until it answers. */
  static async start(place: Place, configuration: string): Promise<Bird> {
    await mkdir(place.folder, { recursive: true });
    const file = join(place.folder, 'bird.conf');
    await writeFile(file, configuration);
    await run({ argv: ['bird', '-p', '-c', file] });
    const bird = new Bird(place, await launchBird(place));
    await bird.#answers();
    return bird;
  }

  /** Starts it anew after its end. */
  async again(): Promise<void> {
    this.#process = await launchBird(this.#place);
    await this.#answers();
  }

  get pids(): readonly number[] {
    return [this.#process.pid ?? 0];
  }

  /** What `birdc WORDS` prints. */
  async ask(words: string): Promise<string> {
    const argv = ['birdc', '-s', socketOf(this.#place), ...words.split(' ')];
    return (await outcome({ argv })).out;
  }

  async kill(): Promise<void> {
    this.#process.signal('SIGKILL');
    await this.#process.ended;
  }

  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    this.#process.signal(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }

  async #answers(): Promise<void> {
    await this.#process.serves(
      'bird answers',
      async () => ((await this.ask('show status')).includes('Daemon is up') ? true : undefined),
      late(),
    );
  }
}

function socketOf({ folder }: Place): string {
  return join(folder, 'bird.ctl');
}

function launchBird(place: Place): Promise<Process> {
  const { namespace, folder } = place;
  const argv = [
    'bird',
    '-f',
    '-c',
    join(folder, 'bird.conf'),
    '-s',
    socketOf(place),
    '-P',
    join(folder, 'pid'),
  ];
  return Process.start({ namespace, argv, log: join(folder, 'bird.log') });
}

/** zebra and bgpd of FRR, with bfdd. */
export class Frr implements AsyncDisposable {
  readonly #folder: string;
  readonly #namespace: string;
  readonly #daemons: Process[] = [];

  private constructor({ namespace, folder }: Place) {
    this.#namespace = namespace;
    this.#folder = folder;
  }

  static async start(place: Place, configuration: string): Promise<Frr> {
    const frr = new Frr(place);
    await mkdir(place.folder, { recursive: true });
    await writeFile(join(place.folder, 'frr.conf'), configuration);
    // FRR's daemons give up root, and make their sockets afterwards.
    await run({ argv: ['chown', 'frr:frrvty', place.folder] });
    await frr.begin();
    return frr;
  }

  /** Starts the daemons, one after the other, and reads the configuration. */
  async begin(): Promise<void> {
    const at = (name: string): string => join(this.#folder, name);
    for (const name of ['zebra', 'bfdd', 'bgpd']) {
      const argv = [
        `/usr/lib/frr/${name}`,
        ...['-f', '/dev/null'],
        ...['-z', at('zserv'), '-i', at(`${name}.pid`), '--vty_socket', this.#folder],
        ...(name === 'bfdd' ? ['--bfdctl', at('bfdctl')] : []),
        // As Debian's /etc/frr/daemons has it: without it zebra misses routes that come many at once.
        ...(name === 'zebra' ? ['-s', '90000000'] : []),
      ];
      const daemon = await Process.start({ namespace: this.#namespace, argv, log: at(`${name}.log`) });
      this.#daemons.push(daemon);
      await daemon.serves(
        `${name} answers`,
        async () => ((await this.ask('show version', name)).includes('FRRouting') ? true : undefined),
        late(),
      );
    }
    await this.read(at('frr.conf'));
  }

  /** Reads commands of its configuration from a file. */
  async read(file: string): Promise<void> {
    await run({ argv: within(this.#namespace, ['vtysh', '--vty_socket', this.#folder, '-f', file]) });
  }

  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    for (const daemon of this.#daemons) daemon.signal(name);
  }

  /** Of zebra, bfdd and bgpd. */
  get pids(): readonly number[] {
    return this.#daemons.map(({ pid }) => pid ?? 0);
  }

  /** @param daemon undefined: all of them */
  async ask(command: string, daemon?: string): Promise<string> {
    const of = daemon === undefined ? [] : ['-d', daemon];
    const argv = within(this.#namespace, ['vtysh', '--vty_socket', this.#folder, ...of, '-c', command]);
    return (await outcome({ argv })).out;
  }

  async kill(): Promise<void> {
    for (const daemon of this.#daemons.splice(0).toReversed()) {
      daemon.signal('SIGKILL');
      await daemon.ended;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

/** keepalived, which moves addresses between hosts. */
export async function startKeepalived({ namespace, folder }: Place, configuration: string): Promise<Process> {
  await mkdir(folder, { recursive: true });
  const file = join(folder, 'keepalived.conf');
  await writeFile(file, configuration);
  const at = (name: string): string => join(folder, name);
  const argv = [
    ...['keepalived', '--dont-fork', '--log-console', '--vrrp', '--use-file', file],
    ...['--pid', at('keepalived.pid'), '--vrrp_pid', at('vrrp.pid')],
  ];
  return Process.start({ namespace, argv, log: at('keepalived.log') });
}

/** Resolves when it is so. */
export async function eventually(what: string, holds: () => Promise<boolean>): Promise<void> {
  await waitFor(what, async () => ((await holds()) ? true : undefined), late());
}
