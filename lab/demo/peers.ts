import { duration, type Page } from './page.ts';
import type { StoryResult } from './story.ts';

/** What other projects say of themselves, and where; from their documents, tests and issues. */
interface Peer {
  readonly what: string;
  readonly scene: string;
  readonly ours: (figures: Readonly<Record<string, number>>) => string;
  readonly theirs: string;
}

const peers: readonly Peer[] = [
  {
    what: 'a Service appears -> first answer',
    scene: 'service-appears',
    ours: ({ firstAnswerMs = Number.NaN }) => duration(firstAnswerMs),
    theirs: '1.0-1.3 s PureLB (test/e2e/timing)',
  },
  {
    what: 'a Service waits -> it has an EIP',
    scene: 'address-given',
    ours: ({ allocationMs = Number.NaN }) => duration(allocationMs),
    theirs: '88-162 ms PureLB (test/e2e/timing)',
  },
  {
    what: 'endpoints move -> traffic follows',
    scene: 'endpoints-move',
    ours: ({ followMs = Number.NaN }) => duration(followMs),
    theirs: '~40 s refused: cilium#45276',
  },
  {
    what: 'a node is lost -> traffic flows',
    scene: 'node-goes',
    ours: ({ lastLostMs = Number.NaN }) => duration(lastLostMs),
    theirs: '2.2-3.1 s PureLB, ~3 s kube-vip, 10-20 s Cilium L2, 35 s-5 min MetalLB #524 #298',
  },
  {
    what: 'a route is deleted -> it is back',
    scene: 'hand-disturbs',
    ours: ({ routeMs = Number.NaN }) => duration(routeMs),
    theirs: '-',
  },
  {
    what: 'API away: requests lost',
    scene: 'api-stops',
    ours: share,
    theirs: 'addresses withdrawn: metallb#615, kube-vip#1112, F5 k8s-bigip-ctlr#3725',
  },
  {
    what: 'daemon killed: requests lost',
    scene: 'daemon-dies',
    ours: share,
    theirs: 'live routes deleted ~7 s after a restart: kube-vip#1678',
  },
];

export function summarise(page: Page, { scenes, ms, cluster }: StoryResult): void {
  const rows = peers.flatMap(({ what, scene, ours, theirs }) => {
    const played = scenes.find(({ id, ok }) => id === scene && ok);
    return played ? [[what, ours(played.figures), theirs]] : [];
  });
  page.line();
  page.table([['', 'here', 'what others report'], ...rows]);
  page.line(`
   Theirs are from their own documents and issues, on clusters of their own;
   ours are from these namespaces, ${origin[cluster]}.

   ${scenes.filter(({ ok }) => ok).length} of ${scenes.length} scenes as they should be, in ${duration(ms)}.`);
}

/** What our figures come from. */
const origin: Readonly<Record<StoryResult['cluster'], string>> = {
  embedded: 'where the demo plays controllers\n   and kube-proxy without their delays',
  real: 'with a real Kubernetes and its\n   kube-proxy at its own settings; only kubelets are played',
};

function share({ lost = Number.NaN, sent = Number.NaN }: Readonly<Record<string, number>>): string {
  return `${lost} of ${sent}`;
}
