import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { ConfigMapPort } from '../cluster/config-map.ts';
import type { FollowTerms } from '../config/config.ts';
import { allOverlapping } from '../desire/node-problems.ts';
import { contains, type Family, family, type Ip } from '../model/ip.ts';
import { mostNetworks, type NodeAgent } from '../model/node-agent.ts';
import type { Link } from '../model/object.ts';
import type { Problem } from '../model/problem.ts';
import type { FollowedGateway } from '../status/status.ts';
import { fitting } from './gateway-fit.ts';
import {
  composed,
  hasAddress,
  type Lack,
  type Learned,
  lackingGateways,
  lackingNetworks,
  learn,
  type PublishedGateways,
} from './published.ts';
import { type PublishedMemory, recallPublished, rememberPublished } from './published-memory.ts';

/** Of why a gateway is refused, in one message. */
const mostReasons = 3;

/** The configuration and the links that what is published is checked against. */
export interface NodeContext {
  readonly agent: NodeAgent;
  readonly terms: FollowTerms;
  readonly links: readonly Link[];
}

/**
 * What the gateways publish, as this node takes it: watched, and kept on disk. What cannot be read, or does not fit this
 * node, changes nothing.
 */
export class Following {
  readonly #file: string;
  readonly #configMap: string;
  #gateways: PublishedGateways = [];
  #saved: PublishedMemory = { gateways: [], served: new Set() };
  #served: ReadonlySet<Family> = new Set();
  /** By their cause. */
  readonly #problems = new Map<'source' | 'content' | 'fit' | 'memory', readonly Problem[]>();
  /** Of the agent as it is applied. */
  #lacks: readonly Problem[] = [];

  /** @param stateDirectory of the node */
  constructor({ configMap }: FollowTerms, stateDirectory: string) {
    this.#file = join(stateDirectory, 'node', 'published.json');
    this.#configMap = `${configMap.namespace}/${configMap.name}`;
  }

  /** The agent with what the gateways publish; where the file has networks or gateways, these win. */
  applied(context: NodeContext): NodeAgent {
    const agent = this.#composed(this.#gateways, context);
    this.#served = new Set(agent.eips.map(family));
    this.#lacks = this.#lacking(agent, context);
    return agent;
  }

  problems(): readonly Problem[] {
    return [...[...this.#problems.values()].flat(), ...this.#lacks];
  }

  /** The gateways by name, for the status. */
  gateways(): readonly FollowedGateway[] {
    return this.#gateways.map(({ name, publication: { state, lan } }) => ({ name, state, addresses: lan }));
  }

  /** Loads from disk what was known last. */
  async recall(): Promise<void> {
    try {
      const unreadable = (why: string): void => this.#tellMemory(why);
      this.#saved = (await recallPublished(this.#file, this.#configMap, unreadable)) ?? this.#saved;
      this.#gateways = this.#saved.gateways;
      this.#served = this.#saved.served;
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      this.#tellMemory(error.message);
    }
  }

  #tellMemory(why: string): void {
    this.#tell('memory', {
      code: 'remembered-gateways-unreadable',
      severity: 'warn',
      subject: this.#file,
      message: `the last known gateways cannot be used: ${why}`,
      advice: 'nothing to do when the API is reachable: the file is rewritten then',
    });
  }

  /**
   * Follows the ConfigMap until the signal is aborted.
   *
   * @param context called before each look
   * @param changed called when the gateways or the problems have changed
   * @param renamed called after that, when the gateways have
   */
  async follow(
    port: ConfigMapPort,
    context: () => NodeContext,
    changed: () => void,
    renamed: () => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const changes = port.changes(signal);
    const look = async (): Promise<void> => {
      const [gateways, problems] = [this.#gateways, this.problems()];
      await this.#look(port, context());
      if (gateways === this.#gateways && isDeepStrictEqual(problems, this.problems())) return;
      changed();
      // The families that are served may be others now.
      await this.#remember();
      if (gateways !== this.#gateways) await renamed();
    };
    await look();
    for await (const _ of changes) await look();
  }

  /** Takes what the port shows now. */
  async #look(port: Pick<ConfigMapPort, 'state'>, context: NodeContext): Promise<void> {
    const { synced, object, trouble } = port.state;
    const subject = `ConfigMap ${this.#configMap}`;
    const stays =
      this.#gateways.length > 0 ? 'what was published before stays in force' : 'nothing is known yet';
    if (trouble !== undefined)
      this.#tell('source', {
        code: 'published-not-read',
        severity: 'warn',
        subject,
        message: `${subject} cannot be read: ${trouble.message}; ${stays}`,
        advice: trouble.advice ?? 'it is tried again by itself',
      });
    else if (synced && object === undefined)
      this.#tell('source', {
        code: 'published-not-read',
        severity: 'warn',
        subject,
        message: `there is no ${subject}; ${stays}`,
        advice: 'make it: kubectl apply -f docs/rbac.yaml; the gateways write it then',
      });
    else this.#tell('source');
    if (object === undefined) return;
    const learned = learn(this.#gateways, object);
    this.#tell('content', ...contentProblems(learned, subject));
    this.#take(learned.gateways, subject, context);
    await this.#remember();
  }

  /** Takes of each gateway what fits this node. */
  #take(next: PublishedGateways, subject: string, context: NodeContext): void {
    const { gateways, refused } = fitting(this.#gateways, next, (all) => this.#wrong(all, context));
    this.#tell(
      'fit',
      ...refused.map(({ name, why, isKnown }): Problem => {
        const stays = isKnown ? 'what it published before stays in force' : 'it is not followed';
        return {
          code: 'published-refused',
          severity: 'error',
          subject: `gateway ${name}`,
          message: `what gateway ${name} has published in ${subject} is refused: ${reasons(why)}; ${stays}`,
          advice: `correct pools in the configuration of gateway ${name}; eiproute pools shows them there`,
        };
      }),
    );
    if (!isDeepStrictEqual(gateways, this.#gateways)) this.#gateways = gateways;
  }

  /** What is wrong with these gateways on this node. */
  #wrong(gateways: PublishedGateways, context: NodeContext): readonly string[] {
    const agent = this.#composed(gateways, context);
    return [
      // Each of them: fewer are taken where there are too many, as in a family that the node has since.
      ...agent.eips
        .slice(mostNetworks)
        .map((network) => `${network} is above the ${mostNetworks} networks that a node takes`),
      // All of them: one that is in force already must not hide another one.
      ...allOverlapping(agent, context.links).map(({ message }) => message),
      ...agent.gateways
        .filter(({ address }) => agent.eips.some((network) => contains(network, address)))
        .map(({ address }) => `the gateway ${address} is inside a pool`),
    ];
  }

  #composed(gateways: PublishedGateways, { agent, terms, links }: NodeContext): NodeAgent {
    return composed(agent, { gateways, repliesTable: terms.repliesTable, links, served: this.#served });
  }

  /** What is published, and not served since the file says otherwise, or since there is no room. */
  #lacking(agent: NodeAgent, { terms, links }: NodeContext): readonly Problem[] {
    const can = (of: Family): boolean =>
      (terms.eipsAt !== undefined || agent.gateways.some(({ address }) => family(address) === of)) &&
      hasAddress(agent, links, of);
    const own = new Set<Ip>(links.flatMap(({ addresses }) => addresses.map(({ ip }) => ip)));
    const addresses = [...agent.gateways.map(({ address }) => address), ...own];
    const networks = lackingNetworks(this.#gateways, agent.eips, can);
    const gateways = lackingGateways(this.#gateways, addresses, can);
    return [
      ...networks.map((lack) => lackProblem(lack, 'eips', terms.eipsAt)),
      ...gateways.map((lack) => lackProblem(lack, 'gateways', terms.gatewaysAt)),
    ];
  }

  async #remember(): Promise<void> {
    const memory = { gateways: this.#gateways, served: this.#served };
    if (isDeepStrictEqual(memory, this.#saved)) return;
    try {
      await rememberPublished(this.#file, this.#configMap, memory);
      this.#saved = memory;
      this.#tell('memory');
    } catch (error) {
      if (!(error instanceof Error && 'code' in error)) throw error;
      this.#tell('memory', {
        code: 'gateways-not-remembered',
        severity: 'warn',
        subject: this.#file,
        message: `the gateways cannot be saved: ${error.message}; a restart with the API down would lose them`,
        advice: 'check space and permissions of stateDirectory',
      });
    }
  }

  #tell(about: 'source' | 'content' | 'fit' | 'memory', ...problems: readonly Problem[]): void {
    this.#problems.set(about, problems);
  }
}

function reasons(why: readonly string[]): string {
  const more = why.length - mostReasons;
  return [...why.slice(0, mostReasons), ...(more > 0 ? [`${more} more`] : [])].join('; ');
}

function contentProblems(
  { unreadable, awaited, passedOver, isEmpty }: Learned,
  subject: string,
): readonly Problem[] {
  const [, name] = subject.split(' ');
  const [namespace, object] = (name ?? '').split('/');
  const remove = (key: string): string =>
    `kubectl patch configmap -n ${namespace} ${object} --type merge -p '{"data":{"${key}":""}}'`;
  return [
    ...unreadable.map(({ name: key, why, isKnown }): Problem => {
      const stays = isKnown ? 'its last good value stays in force' : 'it is not followed';
      return {
        code: 'published-unreadable',
        severity: isKnown ? 'error' : 'warn',
        subject: `gateway ${key}`,
        message: `what gateway ${key} has published in ${subject} cannot be read: ${why}; ${stays}`,
        advice: `compare the versions of eiproute; if ${key} is no gateway: ${remove(key)}`,
      };
    }),
    ...awaited.map(
      (key): Problem => ({
        code: 'gateway-awaited',
        severity: 'warn',
        subject: `gateway ${key}`,
        message: `${subject} was recreated, and gateway ${key} has not published in it; it stays in force`,
        advice: `check that it runs; if it is gone for good: ${remove(key)}`,
      }),
    ),
    ...(passedOver > 0
      ? [
          {
            code: 'published-too-many' as const,
            severity: 'warn' as const,
            subject,
            message: `${subject} has too many keys: ${passedOver} of them are not looked at, and a gateway among them is not followed`,
            advice: `remove the keys that are of no gateway: kubectl edit configmap -n ${namespace} ${object}`,
          },
        ]
      : []),
    ...(isEmpty
      ? [
          {
            code: 'published-empty' as const,
            severity: 'warn' as const,
            subject,
            message: `no gateway has published in ${subject}; what was published before stays in force`,
            advice: 'on a gateway: eiproute status says whether it publishes, and why not',
          },
        ]
      : []),
  ];
}

function lackProblem(
  { gateway, pool, what }: Lack,
  list: 'eips' | 'gateways',
  at: string | undefined,
): Problem {
  const whose =
    pool === undefined
      ? `the address ${what} of gateway ${gateway}`
      : `${what} of pool ${pool} of gateway ${gateway}`;
  const lost =
    pool === undefined
      ? 'replies to what comes through it are lost'
      : 'what comes for its EIPs is not answered through a gateway';
  return {
    code: list === 'eips' ? 'eips-lack-published' : 'gateways-lack-published',
    severity: 'error',
    subject: `${list} ${what}`,
    message: `${list} ${at === undefined ? 'of this node' : `(${at})`} does not hold ${whose}: ${lost}`,
    advice:
      at === undefined
        ? 'there is no room for it: a wider markMask, or another tables.replies'
        : `add ${what} to ${list} in ${at}, or take ${list} out of the file: then what is published counts${pool === undefined ? '; where the gateway is there by another address: publish.lan on the gateway' : ''}`,
  };
}
