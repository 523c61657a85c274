import type { Service } from '../model/cluster.ts';
import { type Family, families, family, type Ip } from '../model/ip.ts';
import { type ByFamily, nobodyByFamily } from '../model/probed.ts';
import { type LateNode, LateNodes } from './late-nodes.ts';
import type { ServiceChange } from './service-change.ts';
import { ableNodes, waitingNodes } from './waiting.ts';

/** A node that waits, and where its kube-proxy says whether it serves the Service. */
export interface Question {
  /** `namespace/name` */
  readonly service: string;
  readonly node: string;
  readonly of: Family;
  readonly port: number;
  /** ms of the awake clock */
  readonly since: number;
}

export interface ServingInputs {
  /** The Service as it was last read. */
  service(key: string): Service | undefined;
  /** Whether an EIP of the Service has a route in the kernel. */
  isRouted(service: Service, of: Family): boolean;
  /** undefined: the node has no such address, and cannot be asked. */
  addressOf(node: string, of: Family): Ip | undefined;
}

/**
 * Which nodes of which Services wait for their kube-proxy, kept up to date by what changes. {@link waitingNodes} is its
 * rule.
 */
export class ServingTable {
  readonly #inputs: ServingInputs;
  /** By Service; only those that wait. */
  readonly #waiting = new Map<string, ByFamily>();
  readonly #questions = new Map<string, Question>();
  /** Nodes that got traffic although they never answered. */
  readonly #late = new LateNodes();
  #turned = new Set<string>();

  constructor(inputs: ServingInputs) {
    this.#inputs = inputs;
  }

  waiting(service: string): ByFamily {
    return this.#waiting.get(service) ?? nobodyByFamily;
  }

  takeTurned(): ReadonlySet<string> {
    const turned = this.#turned;
    if (turned.size > 0) this.#turned = new Set();
    return turned;
  }

  /** Nodes that wait. */
  get questions(): Iterable<Question> {
    return this.#questions.values();
  }

  /** Nodes that got traffic because they never answered, and have not answered since. */
  get late(): readonly LateNode[] {
    return this.#late.nodes();
  }

  /**
   * An EIP of the Service leads to nodes of which none has said yet that it serves it. What was there before this
   * program counts as said.
   */
  isUnanswered(key: string): boolean {
    const service = this.isIdle ? undefined : this.#inputs.service(key);
    if (!isAsked(service)) return false;
    const eips = [...service.ingress, ...service.externalIps];
    return families.some((of) => {
      if (!eips.some((ip) => family(ip) === of)) return false;
      const able = [...ableNodes(service, of)];
      const late = new Set([...this.#late.of(key)].map(keyOf));
      const isAsked = (node: string): boolean => {
        const id = keyOf({ service: key, node, of });
        return this.#questions.has(id) || late.has(id);
      };
      return able.length > 0 && able.every(isAsked);
    });
  }

  get isIdle(): boolean {
    return this.#questions.size === 0 && this.#late.isEmpty;
  }

  /**
   * Reads a Service that has changed. Nothing waits for one that was there before this program ('as it is').
   *
   * @param now ms of the awake clock
   */
  read({ key, before, after, how }: ServiceChange, now: () => number): void {
    const wasAsked = isAsked(before);
    // Neither was nor is asked, as nearly all.
    if (!wasAsked && !isAsked(after) && this.#late.isEmpty) return;
    if (!isAsked(after) || how === 'as it is') this.#set(key, nobodyByFamily, after, now);
    else this.#set(key, this.#waitingOf(key, wasAsked ? before : undefined, after), after, now);
  }

  /** Its kube-proxy has said that it serves the Service. */
  answered(question: Question): void {
    this.#late.delete(question);
    this.#admit(question);
  }

  /** It has waited long enough, and gets traffic. */
  overdue(question: Question): void {
    this.#late.add(question);
    this.#admit(question);
  }

  #waitingOf(key: string, before: Service | undefined, after: Service): ByFamily {
    const known = this.waiting(key);
    const one = (of: Family): ReadonlySet<string> => {
      const isRouted = this.#inputs.isRouted(after, of);
      const nodes = waitingNodes({ before, after, waiting: known[of], isRouted }, of);
      const able = [...nodes].filter((node) => this.#inputs.addressOf(node, of) !== undefined);
      return able.length === nodes.size ? nodes : new Set(able);
    };
    return { 4: one(4), 6: one(6) };
  }

  #admit({ service: key, node, of }: Question): void {
    const waiting = this.#waiting.get(key);
    if (waiting === undefined || !waiting[of].has(node)) return;
    const rest = new Set(waiting[of]);
    rest.delete(node);
    this.#set(key, { ...waiting, [of]: rest }, this.#inputs.service(key), () => 0);
  }

  #set(key: string, waiting: ByFamily, service: Service | undefined, now: () => number): void {
    const before = this.waiting(key);
    if (before === nobodyByFamily && waiting === nobodyByFamily && this.#late.isEmpty) return;
    const port = service?.healthCheckNodePort;
    for (const of of families) {
      for (const node of before[of])
        if (!waiting[of].has(node)) this.#questions.delete(keyOf({ service: key, node, of }));
      for (const node of waiting[of]) {
        const id = keyOf({ service: key, node, of });
        const known = this.#questions.get(id);
        if (port !== undefined && known?.port !== port)
          this.#questions.set(id, { service: key, node, of, port, since: known?.since ?? now() });
      }
      if (waiting[of].symmetricDifference(before[of]).size > 0) this.#turned.add(key);
    }
    for (const late of this.#late.of(key)) if (!this.#stands(late, service)) this.#late.delete(late);
    if (waiting[4].size + waiting[6].size > 0) this.#waiting.set(key, waiting);
    else this.#waiting.delete(key);
  }

  /** The node still has an endpoint of the Service. */
  #stands({ node, port }: Question, service: Service | undefined): boolean {
    return (
      service?.healthCheckNodePort === port && service.endpoints.some((endpoint) => endpoint.node === node)
    );
  }
}

/** It is under Local, with a health check port. */
function isAsked(service: Service | undefined): service is Service {
  return service?.externalTrafficPolicy === 'Local' && service.healthCheckNodePort !== undefined;
}

function keyOf({ service, node, of }: Pick<Question, 'service' | 'node' | 'of'>): string {
  return `${service} ${node} ${of}`;
}
