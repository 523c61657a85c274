import {
  type AllocationRequest,
  type Condition,
  cleanupFinalizer,
  type FamilyPolicy,
  ownPrefix,
  requestAnnotations,
  type Texts,
} from '../model/cluster.ts';
import { type Ip, parseIp } from '../model/ip.ts';
import { exact, list, made, none, part, type Raw, text } from './raw.ts';
import { StringPool } from './string-pool.ts';

/** Types and reasons of conditions. */
const words = new StringPool();

const annotationNames: readonly string[] = Object.values(requestAnnotations).flat();

/** The fields of a v1 Service for the allocation. Fields that cannot be parsed count as absent. */
export function allocationRequest(metadata: Raw, spec: Raw, status: Raw): AllocationRequest {
  return {
    created: timeOf(text(metadata.creationTimestamp) ?? ''),
    labels: texts(metadata.labels),
    annotations: texts(metadata.annotations, isRequest),
    selector: texts(spec.selector),
    loadBalancerIp: text(spec.loadBalancerIP),
    clusterIps: clusterIps(spec),
    familyPolicy: policy(spec.ipFamilyPolicy),
    finalizer: list(metadata.finalizers).includes(cleanupFinalizer),
    hostnames: hostnames(part(status.loadBalancer)),
    conditions: conditions(status),
  };
}

/** The last time that was read: objects of one second follow each other. */
let lastText = '';
let lastTime = 0;

/** ms since the epoch; 0: it is no time */
function timeOf(text: string): number {
  if (text === lastText) return lastTime;
  const time = Date.parse(text);
  lastText = text;
  lastTime = Number.isNaN(time) ? 0 : time;
  return lastTime;
}

const noTexts: Texts = {};

function any(): boolean {
  return true;
}

function isRequest(annotation: string): boolean {
  return annotationNames.includes(annotation);
}

/** Sorted by name, so that equal texts have equal JSON. */
function texts(value: unknown, wanted: (name: string) => boolean = any): Texts {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return noTexts;
  const entries = Object.entries(value).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string' && wanted(entry[0]),
  );
  if (entries.length === 0) return noTexts;
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function clusterIps({ clusterIP, clusterIPs }: Raw): readonly Ip[] {
  const all = list(clusterIPs);
  const given = all.length > 0 ? all : clusterIP === undefined ? none : [clusterIP];
  return made(given, ipOf, undefined);
}

/** Kubernetes writes "None" or "" where there is no address. */
function ipOf(value: unknown): Ip | undefined {
  if (typeof value !== 'string' || value === '' || value === 'None') return undefined;
  try {
    return parseIp(value);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return undefined;
  }
}

function policy(value: unknown): FamilyPolicy {
  return value === 'PreferDualStack' || value === 'RequireDualStack' ? value : 'SingleStack';
}

function hostnameOf(item: unknown): string | undefined {
  return text(part(item).hostname);
}

function hostnames(loadBalancer: Raw): readonly string[] {
  const found = made(list(loadBalancer.ingress), hostnameOf, undefined);
  return found.length < 2 ? found : [...found].sort();
}

function conditions(status: Raw): readonly Condition[] {
  const all = list(status.conditions);
  if (all.length === 0) return none;
  const own = all.flatMap((item): Condition[] => {
    const { type, status: value, reason, message, lastTransitionTime } = part(item);
    if (typeof type !== 'string' || !type.startsWith(ownPrefix)) return [];
    if (value !== 'True' && value !== 'False' && value !== 'Unknown') return [];
    return [
      {
        type: words.of(type),
        status: value,
        reason: words.of(text(reason) ?? ''),
        message: text(message) ?? '',
        lastTransitionTime: text(lastTransitionTime) ?? '',
      },
    ];
  });
  return exact(own.sort((a, b) => (a.type < b.type ? -1 : 1)));
}
