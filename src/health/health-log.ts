// The log of the gateway's health: it looks at the snapshot of each second. There is one for all processes,
// in the process that owns the admin port, so that each thing is told once.
import type { Snapshot } from '../admin/snapshot.ts';
import type { Log } from '../log/log.ts';
import type { Component } from './component.ts';
import { ComponentWatch } from './component-watch.ts';
import { idOf, isOfReadings } from './kafka-components.ts';
import { type OutageLook, type OutageNames, type OutageTrouble, OutageWatch } from './outage-watch.ts';
import { msUntilFull, roomOf } from './storage-components.ts';

export interface HealthLogOptions extends OutageNames {
  /** Calls with a snapshot every second until the returned function is called. */
  readonly ticker: { follow(follower: (snapshot: Snapshot) => void): () => void };
  readonly log: Log;
}

/** Looks until stop(). */
export function startHealthLog({ ticker, log, ...names }: HealthLogOptions): { stop(): void } {
  const outage = new OutageWatch(names, log);
  const others = new ComponentWatch(log);
  const look = (snapshot: Snapshot): void => {
    const now = Math.round(performance.now());
    outage.look(outageLook(snapshot), now);
    others.look(componentsLook(snapshot), now);
  };
  // During a stop Kafka and the processes are left on purpose.
  return { stop: ticker.follow(look) };
}

function outageLook(snapshot: Snapshot): OutageLook {
  const { records, spool, connections, components } = snapshot;
  const kafka = components.find(({ id }) => id === 'kafka');
  const topics = readingTopics(snapshot);
  const trouble = troubleOf(kafka) ?? troubleOfTopics(topics);
  const isFailing = (name: string) => components.some(({ id, state }) => id === name && state === 'failed');
  return {
    trouble,
    isUsable:
      trouble === null && isKnown(kafka) && topics.length > 0 && topics.every(({ state }) => state === 'ok'),
    waiting: records.open + records.inFlight + records.spooled - spool.otherRecords,
    spooled: records.spooled - spool.otherRecords,
    spoolBytes: spool.bytes,
    roomBytes: roomOf(snapshot),
    lastsMs: msUntilFull(snapshot),
    isFull: isFailing('spool'),
    isPausing: isFailing('buffer'),
    pausedConnections: connections.paused,
    confirmed: records.confirmed,
  };
}

function componentsLook({ components, connections }: Snapshot) {
  return { components, connections: connections.active, pausedConnections: connections.paused };
}

/** A quota slows Kafka down and keeps no record from it; a missing KAFKA_BROKERS is no outage. */
const NO_OUTAGE = new Set(['throttled', 'not_configured']);

function troubleOf(component: Component | undefined): OutageTrouble | null {
  if (component === undefined || NO_OUTAGE.has(component.finding)) return null;
  const { id, state, finding, reason, remedy } = component;
  if (state !== 'failed' && state !== 'degraded') return null;
  const isTopic = id.startsWith('topic ');
  const subject = isTopic ? `T${id.slice(1)}` : 'Kafka';
  return {
    subject,
    finding: `${isTopic ? 'topic' : id}.${finding}`,
    reason,
    remedy,
    isPartial: state === 'degraded',
  };
}

const isKnown = (kafka: Component | undefined) => kafka?.state === 'ok' || kafka?.finding === 'throttled';

/** The health of the topics of readings. */
function readingTopics({ kafka, components }: Snapshot): readonly Component[] {
  const ids = new Set(kafka.topics.filter(isOfReadings).map(({ topic }) => idOf(topic)));
  return components.filter(({ id }) => ids.has(id));
}

/** The worst of their troubles. It is partial if other topics are taken. */
function troubleOfTopics(topics: readonly Component[]): OutageTrouble | null {
  const troubles = topics.map(troubleOf);
  const found = troubles.filter((trouble) => trouble !== null);
  const worst = found.find(({ isPartial }) => !isPartial) ?? found[0];
  return worst === undefined ? null : { ...worst, isPartial: worst.isPartial || troubles.includes(null) };
}
