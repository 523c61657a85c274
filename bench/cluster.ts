import { RealCluster } from '../lab/cluster/real-cluster.ts';
import { type Lab, openLab } from '../lab/lab.ts';
import { removeLeftovers } from '../lab/network/lab-run.ts';
import { EiprouteContender } from './runs/eiproute-contender.ts';
import { type Figures, measure } from './runs/load-balancer.ts';
import { MetallbContender } from './runs/metallb-contender.ts';
import { median, table } from './table.ts';

/** How often each thing is measured. */
const rounds = 5;
const many = 1000;

/**
 * eiproute and MetalLB on the same real Kubernetes with its kube-proxy at its own settings, one after the other, each in
 * a fresh lab. Both with the settings they come with; MetalLB in layer 2 mode, with its memberlist.
 */
export async function cluster(): Promise<string> {
  await removeLeftovers();
  const columns: { readonly name: string; readonly figures: Figures }[] = [];
  let release = '';
  for (const start of [EiprouteContender.start, MetallbContender.start]) {
    await using lab = await openLab(
      { nodes: 3, nodeRouting: 'by agents' },
      { cluster: 'real', proxy: 'nftables' },
    );
    release = realOf(lab).plane.programs.release;
    await using contender = await start(lab, realOf(lab));
    columns.push({ name: contender.name, figures: await measure(lab, contender, rounds, many) });
  }
  const row = (label: string, cell: (figures: Figures) => string): readonly string[] => [
    label,
    ...columns.map(({ figures }) => cell(figures)),
  ];
  return [
    `on Kubernetes ${release} with its kube-proxy (nftables), three nodes; kubelets are played; medians of ${rounds}, and the slowest in brackets`,
    table([
      ['', ...columns.map(({ name }) => name)],
      row('created -> address, ms', ({ address }) => worst(address)),
      row('created -> first good request, ms', ({ first }) => worst(first)),
      row('the only endpoint moves (Local) -> traffic follows, ms', ({ moved }) => worst(moved)),
      row('requests lost meanwhile, of all moves', ({ lostMoving }) => String(lostMoving)),
      row('a node is cut off -> traffic flows again, ms', ({ cut }) => worst(cut)),
      row(`${many.toLocaleString('en')} Services at once -> all have an address, s`, ({ all }) =>
        (all / 1000).toFixed(1),
      ),
      row('API server killed and started: /readyz -> next address, s', ({ restart }) =>
        (restart / 1000).toFixed(1),
      ),
      row('away for 55 s: /readyz -> next address, s', ({ away }) => (away / 1000).toFixed(1)),
      row('resident, gateway or controller, MiB', ({ central }) => whole(central)),
      row('resident, on each node, MiB', ({ node }) => whole(node)),
    ]),
  ].join('\n');
}

function realOf({ cluster: found }: Lab): RealCluster {
  if (!(found instanceof RealCluster)) throw new Error('the lab has no real cluster');
  return found;
}

/** "median (slowest)": a median hides what one request in five has to wait. */
function worst(numbers: readonly number[]): string {
  return `${whole(median(numbers))} (${whole(Math.max(...numbers))})`;
}

function whole(value: number): string {
  return Number.isNaN(value) ? '-' : value.toFixed(0);
}
