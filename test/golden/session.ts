import { parse } from 'yaml';
import type { Endpoint, Service } from '../../src/model/cluster.ts';
import { family, parseIp, parsePrefix } from '../../src/model/ip.ts';
import { describe as describeObject } from '../../src/model/iproute.ts';
import { changeObject, type KernelObject, keyOf, type Route } from '../../src/model/object.ts';
import { isInSync, type Report } from '../../src/reconcile/report.ts';
import { endpoint, node, service } from '../scene.ts';
import { GoldenGateway } from './gateway.ts';

/**
 * Runs a golden session: the text with the output behind each command as it is now.
 *
 * A line that begins with `$ ` is a command, one that begins with `#` is a comment, every other line is output. Of the
 * output, lines that begin with `= ` are the report of the round; the others are what the gateway did, as a shell
 * session. The commands:
 *
 *     node NAME ADDRESS... [excluded]            a Node, new or changed
 *     service NAME EIP... [Local] [port N] [on NODE...]
 *                                                a Service and its ready endpoints, new or changed; with port 80 and
 *                                                on n1 unless given
 *     service ... without slices                 the same, and a list lacks some of its EndpointSlices: all of them
 *                                                unless nodes are given
 *     delete node|service NAME                   the watch says that it was deleted
 *     list lacks node|service NAME               a new list comes without it
 *     lists incomplete|complete                  whether every list of the API has come in
 *     config YAML                                settings of the gateway, in the program's own words
 *     ip ...                                     another program: route add|del, link set ... up|down, address add|del
 *     drain, undrain                             as `eiproute drain`, `eiproute undrain`
 *     restart                                    of the daemon
 *     wait SECONDS
 *     release                                    as `eiproute release`
 *     purge                                      as `eiproute purge`
 *     round [dump] [settings]                    after a change of the cluster, or with `dump` as after a hint of the
 *                                                kernel; shows settings only with `settings`
 */
export async function playSession(text: string): Promise<string> {
  const gateway = new GoldenGateway();
  const lines: string[] = [];
  for (const line of text.split('\n')) {
    if (line.startsWith('$ ')) lines.push(line, ...(await play(gateway, line.slice(2))));
    else if (line.startsWith('#') || line === '') lines.push(line);
  }
  return lines.join('\n');
}

async function play(gateway: GoldenGateway, line: string): Promise<readonly string[]> {
  const [verb = '', ...words] = line.split(' ');
  const [first = '', ...rest] = words;
  switch (verb) {
    case 'node': {
      const excludeLabel = rest.includes('excluded') ? 'true' : undefined;
      const addresses = rest.filter((word) => word !== 'excluded');
      gateway.nodes.set(first, node(first, addresses, { excludeLabel }));
      return [];
    }
    case 'service':
      gateway.services.set(first, serviceOf(first, rest));
      return [];
    case 'delete':
      gateway.delete(first, rest.join(' '));
      return [];
    case 'list':
      gateway.listWithout(rest[0] ?? '', rest.slice(1).join(' '));
      return [];
    case 'lists':
      gateway.complete = first === 'complete';
      return [];
    case 'config': {
      const { defaultRoutes, announce, ...settings } = parse(words.join(' '));
      gateway.settings = {
        ...gateway.settings,
        ...settings,
        ...(defaultRoutes && { defaultRoutes: defaultRoutes.map(parseIp) }),
        ...(announce && {
          announce: { table: announce.table, active: (announce.active ?? []).map(parseIp) },
        }),
      };
      return [];
    }
    case 'ip':
      meddle(gateway, words);
      return [];
    case 'restart':
      gateway.restart();
      return [];
    case 'drain':
    case 'undrain':
      gateway.drain(verb);
      return [];
    case 'wait':
      gateway.wait(1000 * Number(first));
      return [];
    case 'release':
      gateway.release();
      return [];
    case 'purge':
      return outcome(gateway, await gateway.purge(), 'with settings');
    case 'round': {
      const report = await gateway.round(words.includes('dump') ? 'dump' : 'cached');
      return outcome(gateway, report, words.includes('settings') ? 'with settings' : 'without settings');
    }
    default:
      throw new Error(`no command '${verb}' in golden sessions`);
  }
}

/** What follows the name in `service NAME EIP... [Local] [port N] [on NODE...] [without slices]`. */
function serviceOf(name: string, all: readonly string[]): Service {
  const without = all.indexOf('without');
  const words = without < 0 ? all : all.slice(0, without);
  const on = words.indexOf('on');
  const before = on < 0 ? words : words.slice(0, on);
  const nodes = on >= 0 ? words.slice(on + 1) : without < 0 ? ['n1'] : [];
  const endpoints: readonly Endpoint[] = nodes.map((each) => endpoint(each));
  const port = before.indexOf('port');
  const eips = before.filter((word, i) => word !== 'Local' && (port < 0 || (i !== port && i !== port + 1)));
  return service(name, eips, {
    externalTrafficPolicy: before.includes('Local') ? 'Local' : 'Cluster',
    endpoints,
    ports: [
      { name: 'http', protocol: 'TCP', port: port < 0 ? 80 : Number(before[port + 1]), nodePort: 30080 },
    ],
    slicesKnown: without < 0,
  });
}

/** Another program at the kernel. */
function meddle({ world }: GoldenGateway, words: readonly string[]): void {
  const [noun, verb, dst = '', ...rest] = words;
  if (noun === 'link' && verb === 'set') {
    if (rest[0] === 'down') world.linkDown(dst);
    else world.linkUp(dst);
  } else if (noun === 'route' && verb === 'add') {
    const value = (name: string): string => rest[rest.indexOf(name) + 1] ?? '';
    const via = parseIp(value('via'));
    const hop = { via, link: world.link(value('dev')).index, weight: 1 };
    world.add(foreignRoute(dst, Number(value('proto')), hop));
  } else if (noun === 'route' && verb === 'del') {
    const found = [...world.objects.values()].find(
      (object) => object.kind === 'route' && object.table === 254 && object.dst === parsePrefix(dst),
    );
    if (found === undefined) throw new Error(`no route ${dst}`);
    world.delete(found);
  } else if (noun === 'address' && verb === 'add') world.addAddress(rest[1] ?? '', dst);
  else if (noun === 'address' && verb === 'del') world.removeAddress(rest[1] ?? '', parseIp(dst));
  else throw new Error(`no command 'ip ${words.join(' ')}' in golden sessions`);
}

function foreignRoute(dst: string, protocol: number, hop: Route['hops'][number]): Route {
  const prefix = parsePrefix(dst);
  const metric = family(prefix) === 6 ? 1024 : 0;
  return {
    kind: 'route',
    table: 254,
    dst: prefix,
    metric,
    protocol,
    type: 'unicast',
    nhid: undefined,
    hops: [hop],
    src: undefined,
  };
}

function outcome(
  gateway: GoldenGateway,
  report: Report,
  how: 'with settings' | 'without settings',
): readonly string[] {
  const names = (index: number): string => gateway.world.links.get(index)?.name ?? `if${index}`;
  const said = (object: KernelObject): string => `${object.kind} ${describeObject(object, names)}`;
  const commands = gateway
    .transcript()
    .filter((line) => how === 'with settings' || !line.startsWith('sysctl'));
  return [
    ...commands,
    ...report.held.map((one) => `= held (${one.reason}): ${one.verb} ${said(changeObject(one))}`),
    ...report.conflicts.map(
      ({ want, holder }) =>
        `= conflict: ${said(want)}, taken by ${holder === undefined ? 'nothing' : said(holder)}`,
    ),
    ...report.failed
      .filter(
        ({ change }) => !report.conflicts.some(({ want }) => keyOf(want) === keyOf(changeObject(change))),
      )
      .map(({ change, message }) => `= refused: ${said(changeObject(change))}: ${message}`),
    ...report.problems.map(({ code, subject, message }) => `= ${code}, ${subject}: ${message}`),
    isInSync(report) ? '= in sync' : '= not in sync',
  ];
}
