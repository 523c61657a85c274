import { parseArgs } from 'node:util';
import { Eiproute } from '../eiproute/eiproute.ts';
import { embedded, type LabKind, openLab } from '../lab.ts';
import { removeLeftovers } from '../network/lab-run.ts';
import { layServices, type ReachCell, reachTable } from './reach-table.ts';

// Who can reach an EIP: every kind of Service from every place, as a table. Exit 0: all yes.
//   npm run reach -- [--cluster embedded|real] [--proxy nftables|iptables]
// The release of a real one is in $EIPROUTE_KUBERNETES.

const usage = 'npm run reach -- [--cluster embedded|real] [--proxy nftables|iptables]';

const kind = kindOf(process.argv.slice(2));
if (kind === undefined) {
  process.stderr.write(`usage: ${usage}\n`);
  process.exit(64);
}
await removeLeftovers();
await using lab = await openLab({ nodes: 3, nodeRouting: 'by agents' }, kind);
await using eiproute = await Eiproute.start(lab.network, lab.cluster, { lines: 'allocate: true' });
await eiproute.synced(AbortSignal.timeout(30_000));
await using _nginx = await layServices(lab);
await eiproute.synced(AbortSignal.timeout(30_000));
const cells = await reachTable(lab);
process.stdout.write(`${render(cells)}\n`);
process.exitCode = cells.every(({ trouble }) => trouble === '') ? 0 : 1;

/** undefined: the command line is wrong. The proxy counts on a real cluster alone. */
function kindOf(args: string[]): LabKind | undefined {
  const {
    values: { cluster, proxy, ...unknown },
    positionals,
  } = parseArgs({
    args,
    options: {
      cluster: { type: 'string', default: 'embedded' },
      proxy: { type: 'string', default: 'nftables' },
    },
    strict: false,
  });
  if (Object.keys(unknown).length > 0 || positionals.length > 0) return undefined;
  if (proxy !== 'nftables' && proxy !== 'iptables') return undefined;
  if (cluster === 'embedded') return embedded;
  return cluster === 'real' ? { cluster, proxy } : undefined;
}

/** A row for each target, a column for each place; what failed is told below. */
function render(cells: readonly ReachCell[]): string {
  const places = [...new Set(cells.map(({ from }) => from))];
  const targets = [...new Set(cells.map(({ target }) => target))];
  const width = Math.max(...targets.map(({ length }) => length)) + 2;
  const rows = targets.map((target) => {
    const row = places.map((place) => {
      const cell = cells.find((one) => one.target === target && one.from === place);
      return (cell === undefined ? '-' : cell.trouble === '' ? 'yes' : 'NO').padEnd(place.length + 2);
    });
    return `${target.padEnd(width)}${row.join('')}`;
  });
  const head = `${''.padEnd(width)}${places.map((place) => `${place}  `).join('')}`;
  const troubles = cells
    .filter(({ trouble }) => trouble !== '')
    .map(({ target, from, trouble }) => `${target} from ${from}: ${trouble}`);
  const legend = "\nyes: answered over IPv4 and IPv6; -: not asked, no route to the nodes' addresses";
  return [head, ...rows, legend, ...troubles].map((line) => line.trimEnd()).join('\n');
}
