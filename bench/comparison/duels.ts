// The scenarios of a comparison, and the contestants that the options name.
import { execFileSync } from 'node:child_process';
import type { InstalledPeer } from '../peers/peers.ts';
import { packageVersion } from '../report/circumstances.ts';

export interface Duel {
  readonly name: string;
  readonly about: string;
  readonly linesPerWrite: number;
  /** Absent: at full speed, as much as the contestant takes. */
  readonly perSecond?: number;
}

/** The same loads as in the scenarios of these names. */
export const DUELS: readonly Duel[] = [
  { name: 'batch', about: '50 lines a write, at full speed', linesPerWrite: 50 },
  { name: 'single', about: '1 line a write, at full speed', linesPerWrite: 1 },
  { name: 'steady', about: '20,000 messages a second, to the consumer', linesPerWrite: 1, perSecond: 20_000 },
  { name: 'latency', about: '2,000 messages a second, to the consumer', linesPerWrite: 1, perSecond: 2_000 },
];

interface Entry {
  readonly name: string;
  readonly about: string;
  readonly version: string;
  /** Only the scenarios with a rate. */
  readonly pacedOnly?: boolean;
}

export interface PeerEntry extends Entry {
  readonly kind: 'peer';
  readonly installed: InstalledPeer;
  readonly lingerMs: number;
}

export interface OwnEntry extends Entry {
  readonly kind: 'own';
  readonly settings: Readonly<Record<string, string>>;
  /** The lines go to the port for plain lines, without identify, as to a peer. */
  readonly plain: boolean;
  /** Path of another Node. */
  readonly node: string | undefined;
}

export type ContestantEntry = PeerEntry | OwnEntry;

/** That of Sluice's default. */
export const LINGER_MS = 10;
/** The first has Sluice's linger. The other lingers are measured only at a rate, because they do not matter at full speed. */
export const LINGERS_MS: readonly number[] = [LINGER_MS, 100];

/** @param nodes paths of Nodes; the first runs all of Sluice's variants, each further one those of devices */
export function contestants(
  peers: readonly InstalledPeer[],
  {
    nodes,
    lingersMs = LINGERS_MS,
  }: { readonly nodes: readonly string[]; readonly lingersMs?: readonly number[] },
): ContestantEntry[] {
  const others = peers.flatMap((installed) =>
    lingersMs.map((lingerMs, index) => peerEntry(installed, lingerMs, index > 0)),
  );
  return [...others, ...nodes.flatMap((node, index) => ownEntries(node, index > 0))];
}

function peerEntry(installed: InstalledPeer, lingerMs: number, pacedOnly: boolean): PeerEntry {
  const { name } = installed.peer;
  return {
    kind: 'peer',
    name: `${name}-${lingerMs}ms`,
    about: `${name}, whose Kafka client has a linger of ${lingerMs} ms`,
    version: installed.version,
    pacedOnly,
    installed,
    lingerMs,
  };
}

function ownEntries(node: string, isFurther: boolean): OwnEntry[] {
  const of = node === process.execPath ? process.version : versionOfNode(node);
  const suffix = isFurther ? `-node${/\d+/.exec(of)?.[0]}` : '';
  const common = { kind: 'own', version: `${packageVersion()}, Node ${of}`, node, plain: false } as const;
  // While the others have their turns, a contestant hears nothing of its devices.
  const patient = { TCP_INACTIVITY_TIMEOUT: '30m' };
  const one = { ...patient, TCP_PROCESSES: '1' };
  const own: OwnEntry[] = [
    {
      ...common,
      name: `sluice${suffix}`,
      about: 'Sluice, devices, JSON checked, one process',
      settings: one,
    },
    {
      ...common,
      name: `sluice-two${suffix}`,
      about: 'the same with two processes, the default on two cores',
      settings: { ...patient, TCP_PROCESSES: '2' },
    },
  ];
  const plain: OwnEntry = {
    ...common,
    name: 'sluice-plain',
    about: 'Sluice, its port for plain lines, JSON checked, one process',
    settings: { ...one, TCP_LINES_PORT: '0' },
    plain: true,
  };
  return isFurther ? own : [...own, plain];
}

const versionOfNode = (node: string): string =>
  execFileSync(node, ['--version'], { encoding: 'utf8' }).trim();
