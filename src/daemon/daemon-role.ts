import type { ListenAddress, RoleName } from '../config/config.ts';
import type { Path } from '../desire/path.ts';
import type { PathHistory } from '../desire/path-history.ts';
import type { EventName } from '../journal/event.ts';
import type { DesiredTable } from '../model/desired.ts';
import type { Neighbour } from '../model/listing.ts';
import type { Link } from '../model/object.ts';
import type { Pace } from '../model/pace.ts';
import type { Actual } from '../reconcile/actual.ts';
import type { KernelUnreadable } from '../reconcile/loop.ts';
import type { Role } from '../reconcile/reconciler.ts';
import type { Report } from '../reconcile/report.ts';
import type { EipStatus } from '../status/eips.ts';
import type { Health } from '../status/state.ts';
import type { AnyStatus, Figures, StatusInputs } from '../status/status.ts';
import type { Answer, Command } from './socket.ts';

/** The state of a daemon after its last round. */
export interface DaemonState extends StatusInputs {
  /** As of the last dump, like the neighbours. */
  readonly links: readonly Link[];
  readonly neighbours: readonly Neighbour[];
  /** Set while the kernel cannot be read. */
  readonly unreadable: KernelUnreadable | undefined;
  /** The known state of the kernel, and the table that the last report is about. */
  readonly actual: Actual | undefined;
  readonly desired: DesiredTable | undefined;
}

/** The part of a daemon that depends on its role. Its methods are called each time: a reload changes their results. */
export interface DaemonRole {
  readonly name: RoleName;
  readonly runtimeDirectory: string;
  /** The journal event of the start. */
  readonly start: { readonly event: EventName; readonly facts: object };
  /** The read-only listener; undefined: none. */
  readonly listen: ListenAddress | undefined;
  /** The commands of the socket, beside those of every daemon. */
  readonly commands: ReadonlyMap<string, Command>;
  readonly answers: RoleAnswers;
  role(): Role;
  pace(): Pace;
  /** Called after a round, once the journal has its report. */
  rounded(report: Report): void;
  /** A rule or a route of another program came or went; absent: the scope asks for none. */
  othersChanged?(): void;
  /** Refreshes what no round reads; called before each answer. */
  look(signal: AbortSignal): Promise<void>;
  /** Former and present paths of the EIPs, for the journal; undefined on a node. */
  history(): PathHistory | undefined;
  /** The nodes that an EIP leaves and that keep its flows, for the journal. */
  leaving(path: Path): readonly string[];
  /** ms since the epoch when the credentials for the API end; undefined: they do not say */
  credentialsEnd(): number | undefined;
  /** How often the Lease went from one gateway to another; undefined: there is none. */
  leaseTransitions(): number | undefined;
}

/** What a role says of itself: to systemd, to the socket, to Prometheus and on the live page. It changes nothing. */
export interface RoleAnswers {
  health(state: DaemonState): Health;
  status(state: DaemonState): AnyStatus;
  figures(state: DaemonState): Figures;
  /** In no order. */
  eips(state: DaemonState): Iterable<EipStatus>;
  /** Further questions of the socket, by path; the answers are JSON. */
  readonly questions: ReadonlyMap<string, (state: DaemonState, query: URLSearchParams) => Answer>;
}

/** Work beside the kernel, which starts rounds: it goes on until the signal is aborted. */
export type Watch = (signal: AbortSignal) => Promise<void>;
