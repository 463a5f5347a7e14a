// Starts a gateway on every state that a crash may leave: after each entry of a recording, with each possible state of
// the disk and the cluster of that moment. Each start is first interrupted after its repair, and the states that a crash
// in that repair may leave are started on as well: all changes of the repair, none that was not synced, and the last
// write torn.
//
// Nothing is sampled. Equal states of the disk with the same cluster are started on once. If SLUICE_CRASH_KEEP names a
// directory, states that break the promise are written there.
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crashStates, type DiskState, earlyState, tornStates } from '../../simulation/disk/crash-states.ts';
import { DiskModel, type Tree } from '../../simulation/disk/disk-model.ts';
import type { Settings } from '../../src/config/settings.ts';
import { type Entry, FsJournal } from './fs-journal.ts';
import type { ModelCluster } from './model-cluster.ts';
import {
  type Device,
  type Happening,
  idIn,
  isLock,
  kafkaOn,
  LETTERS,
  settingsFor,
  startKafka,
  untilDelivered,
} from './scene.ts';
import { treeKey, writeTree } from './trees.ts';

/** In memory, because thousands of small directories are created and deleted. */
const IN_MEMORY = '/dev/shm';
/** Starts at the same time. Some wait for seconds before they believe an answer of Kafka. */
const PARALLEL = 64;
const MAX_VIOLATIONS = 10;

export interface Recording {
  /** The disk at the beginning. */
  readonly disk: DiskModel;
  readonly entries: readonly Entry<Happening>[];
  readonly devices: readonly Device[];
  readonly atFault: ReadonlySet<number>;
  /** Settings of the starts, besides the directory. */
  readonly settings?: Partial<Settings>;
  /** The topics to which readings were sent. */
  readonly topics: readonly string[];
}

export interface Violation {
  readonly kind: 'lost' | 'late' | 'twice' | 'failed';
  /** The broken promise and its moment, for people. */
  readonly text: string;
}

export interface Explored {
  /** The number of disk states at all points of the recording. */
  readonly points: number;
  /** The number of disk states at all points of the starts on them. */
  readonly restartPoints: number;
  /** The number of different states, each of which a gateway was started on. */
  readonly starts: number;
  /** At most the first few. */
  readonly violations: readonly Violation[];
}

/** For each device the id up to which it was told that its records are stored. */
type Told = ReadonlyMap<string, number>;

interface Point {
  /** For people. */
  readonly text: string;
  readonly told: Told;
}

/** The ids in the cluster after a start, in the order of their arrival. */
interface Delivered {
  readonly arrived: readonly number[];
  readonly letters: ReadonlySet<number>;
}

/** The result of a start. */
type Outcome = Delivered | { readonly failure: string };

/** A state that a crash may leave. */
interface State extends DiskState {
  /** If only the process died: the disk with the changes that are not durable yet. */
  readonly disk?: DiskModel;
}

interface DiskAtPoint {
  readonly disk: DiskModel;
  /** The last point with this disk, at which devices were told most. */
  readonly point: Point;
}

interface Start {
  readonly tree: Tree;
  /** Disks with this tree and different durable parts. Each gets an interrupted start. States after one have none. */
  readonly disks: Map<string, DiskAtPoint>;
  readonly cluster: ModelCluster;
  readonly clusterNumber: number;
  readonly points: Point[];
  outcome: Outcome | undefined;
}

export async function explore(recording: Recording): Promise<Explored> {
  const restoreSync = await withoutSync();
  const directory = mkdtempSync(join(existsSync(IN_MEMORY) ? IN_MEMORY : tmpdir(), 'sluice-states-'));
  try {
    return await new Exploration(recording, directory).run();
  } finally {
    restoreSync();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Turns syncs off until the returned function is called. They take most of a start, and no real crash comes. */
export async function withoutSync(): Promise<() => void> {
  const file = await open(tmpdir(), 'r');
  const prototype = Object.getPrototypeOf(file) as typeof file;
  await file.close();
  const { sync, datasync } = prototype;
  prototype.sync = prototype.datasync = () => Promise.resolve();
  return () => {
    prototype.sync = sync;
    prototype.datasync = datasync;
  };
}

class Exploration {
  readonly #recording: Recording;
  readonly #directory: string;
  readonly #starts = new Map<string, Start>();
  /** States that are not started on yet. */
  readonly #queue: Start[] = [];
  #running = 0;
  #number = 0;
  #restartPoints = 0;
  readonly #violations: Violation[] = [];

  constructor(recording: Recording, directory: string) {
    this.#recording = recording;
    this.#directory = directory;
  }

  async run(): Promise<Explored> {
    const points = this.#addAll();
    await new Promise<void>((resolve) => this.#pump(resolve));
    const { size: starts } = this.#starts;
    return { points, restartPoints: this.#restartPoints, starts, violations: this.#violations };
  }

  #pump(done: () => void): void {
    if (this.#violations.length >= MAX_VIOLATIONS) this.#queue.length = 0;
    while (this.#running < PARALLEL) {
      const start = this.#queue.shift();
      if (start === undefined) break;
      this.#running++;
      void this.#startOn(start).then(() => {
        this.#running--;
        this.#pump(done);
      });
    }
    if (this.#running === 0) done();
  }

  /** Adds every state at every point of the recording. */
  #addAll(): number {
    let told: Told = new Map();
    let cluster: ModelCluster | undefined;
    let clusterNumber = 0;
    let points = 0;
    const { entries, disk } = this.#recording;
    for (const { states, change, text, index } of statesOf(entries, disk)) {
      if (change.kind === 'mark') {
        const { mark } = change;
        if (mark.kind === 'stored') told = new Map(told).set(mark.device, mark.id);
        else {
          cluster = mark.cluster;
          clusterNumber++;
        }
      }
      // No gateway has started yet.
      if (cluster === undefined) continue;
      for (const state of states) {
        const point = { text: `after ${index} (${text}), ${state.name}`, told };
        const { tree, disk = DiskModel.holding(tree) } = state;
        const { disks } = this.#add(tree, { cluster, clusterNumber }, point);
        disks.set(treeKey(disk.durableTree), { disk, point });
        points++;
      }
    }
    return points;
  }

  #add(
    tree: Tree,
    { cluster, clusterNumber }: Pick<Start, 'cluster' | 'clusterNumber'>,
    point: Point,
  ): Start {
    const key = `${clusterNumber} ${treeKey(tree)}`;
    const known = this.#starts.get(key);
    if (known !== undefined) {
      known.points.push(point);
      if (known.outcome !== undefined) this.#judge(known, known.outcome, [point]);
      return known;
    }
    const points = [point];
    const start: Start = { tree, disks: new Map(), cluster, clusterNumber, points, outcome: undefined };
    this.#starts.set(key, start);
    this.#queue.push(start);
    return start;
  }

  async #startOn(start: Start): Promise<void> {
    const failed = (error: unknown) => ({ failure: (error as Error).stack ?? String(error) });
    start.outcome = await this.#outcomeOf(start).catch(failed);
    this.#judge(start, start.outcome, start.points);
  }

  async #outcomeOf(start: Start): Promise<Delivered> {
    const { settings, topics } = this.#recording;
    const cluster = start.cluster.copy();
    let directory = this.#layOut(start.tree);
    for (const at of start.disks.values()) {
      rmSync(directory, { recursive: true });
      directory = this.#layOut(start.tree);
      await this.#breakOff(start, at, directory);
    }
    const kafka = kafkaOn(settingsFor(directory, settings), cluster);
    try {
      await startKafka(kafka, directory);
      await untilDelivered(kafka);
    } finally {
      await kafka.close();
    }
    rmSync(directory, { recursive: true, force: true });
    return {
      arrived: topics.flatMap((topic) => cluster.arrivedIn(topic).map(({ value }) => idIn(value))),
      letters: new Set(cluster.arrivedIn(LETTERS).map(({ value }) => idIn(value))),
    };
  }

  #layOut(tree: Tree): string {
    const directory = join(this.#directory, String(this.#number++));
    writeTree(directory, tree);
    return directory;
  }

  /** A start that crashes after its repair and before it sends. Adds the states that a crash in it may leave. */
  async #breakOff(
    { cluster, clusterNumber }: Start,
    { disk, point }: DiskAtPoint,
    directory: string,
  ): Promise<void> {
    const unreachable = cluster.copy();
    unreachable.isReachable = false;
    const journal = FsJournal.record(directory, { disk, unread: isLock });
    journal.isSyncing = false;
    const kafka = kafkaOn(settingsFor(directory, this.#recording.settings), unreachable);
    try {
      await startKafka(kafka, directory);
    } finally {
      await journal.crash(() => kafka.close());
      journal.stop();
    }
    for (const { states, text, index } of statesOf(journal.entries, disk)) {
      for (const state of states.filter(({ isPartial }) => isPartial !== true)) {
        const where = `${point.text}; then in a start after ${index} (${text}), ${state.name}`;
        this.#add(state.tree, { cluster, clusterNumber }, { text: where, told: point.told });
        this.#restartPoints++;
      }
    }
  }

  /** Adds a violation if the outcome breaks the promise at one of the points. */
  #judge({ tree }: Start, outcome: Outcome, points: readonly Point[]): void {
    for (const { text, told } of points) {
      const broken = whatIsBroken(outcome, told, this.#recording);
      if (broken === undefined) continue;
      const files = [...tree].map(([path, content]) => path + (content ? ` (${content.length})` : '/'));
      const { kind, what } = broken;
      const { SLUICE_CRASH_KEEP: keep } = process.env;
      if (keep !== undefined) writeTree(join(keep, String(this.#violations.length)), tree);
      this.#violations.push({ kind, text: `${text}: ${what}\n  on disk: ${files.join(', ')}` });
      return;
    }
  }
}

/** The possible states of the disk during and after each change of a recording. */
export function* statesOf<T>(entries: readonly Entry<T>[], before: DiskModel) {
  const disk = before.copy();
  let states: readonly State[] = [];
  for (const [index, { change, text }] of entries.entries()) {
    // A mark changes nothing on the disk.
    if (change.kind !== 'mark' || index === 0) {
      const torn = change.kind === 'write' ? tornStates(disk, change) : [];
      if (change.kind !== 'mark') disk.apply(change);
      const [applied, ...others] = crashStates(disk);
      const isPending = applied !== undefined && !disk.isSettled;
      states = [
        ...torn,
        ...(applied === undefined ? [] : [isPending ? { ...applied, disk: disk.copy() } : applied]),
        ...others,
        ...earlyStates(entries, index, disk),
      ];
    }
    yield { index, change, text, states };
  }
}

/** A change that was requested before a point and made after it may already be on the disk. */
function earlyStates<T>(entries: readonly Entry<T>[], index: number, disk: DiskModel): DiskState[] {
  return entries.slice(index + 1).flatMap(({ askedAt, change }) => {
    if (askedAt > index || change.kind === 'mark') return [];
    return earlyState(disk, change) ?? [];
  });
}

function whatIsBroken(
  outcome: Outcome,
  told: Told,
  { devices, atFault }: Recording,
): { readonly kind: Violation['kind']; readonly what: string } | undefined {
  if ('failure' in outcome) return { kind: 'failed', what: outcome.failure };
  const { arrived, letters } = outcome;
  for (const { name, sent } of devices) {
    const own = new Set(sent);
    const there = arrived.filter((id) => own.has(id));
    const has = new Set(there);
    const storedUpTo = told.get(name) ?? 0;
    const isLost = (id: number) => !has.has(id) && !(atFault.has(id) && letters.has(id));
    const lost = sent.find((id) => id <= storedUpTo && isLost(id));
    const what = `of ${name}, which was told stored up to ${storedUpTo}: ${there.join(' ')}`;
    if (lost !== undefined) return { kind: 'lost', what: `record ${lost} is lost ${what}` };
    const late = there.find(
      (id, index) => id < (there[index - 1] ?? 0) && !there.slice(0, index).includes(id),
    );
    if (late !== undefined) return { kind: 'late', what: `record ${late} came too late ${what}` };
    if (has.size < there.length) return { kind: 'twice', what: `records came twice ${what}` };
  }
  return undefined;
}
