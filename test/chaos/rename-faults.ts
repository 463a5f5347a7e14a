// Faults that change KAFKA_TOPIC_METRICS while readings of the former topic wait on disk. The readings must reach the
// former topic, and the log, `/stats` and `/readyz` must say that they wait for it.
import { existsSync } from 'node:fs';
import { waitFor } from '../support/wait.ts';
import { cutOff, type Fault, type Outcome, recovered, spooledBeyond, spooling, terminated } from './fault.ts';
import { formerParts, recordsLeft } from './spool-looks.ts';
import type { Stage } from './stage.ts';

interface Renaming {
  /** TCP_PROCESSES at each start. */
  readonly processes: readonly number[];
  /** The last start names the first topic again. */
  readonly back?: boolean;
  /** Kafka is away at the very first start: no topic exists, and the gateway knows no number of partitions. */
  readonly isUnseen?: boolean;
}

const SPOOLED_RECORDS = 1_000;
const PARTS_GONE_MS = 30_000;
const ENDED_MS = 30_000;
const SEEN_MS = 10_000;

export const RENAME_FAULTS: readonly Fault[] = [
  renaming('topic-renamed', { processes: [1, 1] }),
  renaming('topic-renamed-processes', { processes: [2, 2] }),
  renaming('topic-renamed-fewer-processes', { processes: [3, 1] }),
  renaming('topic-renamed-unseen', { processes: [1, 1], isUnseen: true }),
  renaming('topic-renamed-back', { processes: [1, 1, 1], back: true }),
];

function renaming(name: string, change: Renaming): Fault {
  const [first = 1] = change.processes;
  return {
    name,
    brokers: 1,
    alone: true,
    env: { TCP_PROCESSES: String(first) },
    ...(change.isUnseen && { prepare: cutOff }),
    apply: (stage) => rename(stage, change),
  };
}

async function rename(stage: Stage, { processes, back = false }: Renaming): Promise<Outcome> {
  const { gateway, proxies, topic } = stage;
  const wrong: string[] = [];
  const seen: string[] = [];
  let current = topic;
  await cutOff(stage);
  await spooledBeyond(stage, SPOOLED_RECORDS);
  const starts = processes.slice(1);
  for (const [index, count] of starts.entries()) {
    const former = current;
    current = back && index === starts.length - 1 ? topic : nameAfter(topic, index);
    const how = await end(stage);
    const waiting = await recordsLeft(stage.spoolDirectory);
    if (waiting === 0) throw new Error(`no reading of ${former} waits on the disk`);
    stage.ledger.moveTo(current);
    if (current !== topic) stage.laterTopics.push(current);
    const logged = gateway.log.length;
    await gateway.start({ KAFKA_TOPIC_METRICS: current, TCP_PROCESSES: String(count) });
    seen.push(`${how} with ${waiting} records on disk`);
    // The part of a former process may be opened later than the gateway's own.
    await stage
      .wait('all of them are counted', () => gateway.stats.records.recovered >= waiting, SEEN_MS)
      .catch(() =>
        wrong.push(`${gateway.stats.records.recovered} of ${waiting} records on disk are counted`),
      );
    wrong.push(...(await unnamed(stage, { former, logged })));
    await spooling(stage);
  }
  for (const proxy of proxies) await proxy.accept();
  const { tookMs, limitMs, drainedMs } = await recovered(stage);
  const last = processes.at(-1) ?? 1;
  await stage
    .wait('the parts of former processes are gone', () => partsLeft(stage, last).length === 0, PARTS_GONE_MS)
    .catch(() => wrong.push(`parts of former processes are left: ${partsLeft(stage, last)}`));
  const bite = `${processes.join(' to ')} processes: ${seen.join(', then ')}`;
  return { bite, tookMs, limitMs, drainedMs, wrong };
}

const partsLeft = (stage: Stage, processes: number): string[] => formerParts(stage.spoolDirectory, processes);

/** Must not contain the former name, because the test searches the gateway's output for that. */
const nameAfter = (topic: string, index: number): string => topic.replace(/^chaos/, `renamed-${index + 1}`);

/** Ends the gateway with SIGTERM or SIGKILL. Resolves when none of its processes can answer a device any more. */
async function end(stage: Stage): Promise<string> {
  const { gateway, fleet, random } = stage;
  const { children } = gateway;
  const isKill = random.pick([true, false]);
  if (isKill) await gateway.kill();
  else await terminated(stage, 0);
  // Server processes that lose the first one stop in order, which takes a moment.
  await stage.wait('its processes are gone', () => !children.some(isAlive), ENDED_MS);
  await stage.wait('every connection is closed', () => fleet.connected === 0);
  return isKill ? 'killed' : 'stopped';
}

const isAlive = (pid: number): boolean => existsSync(`/proc/${pid}`);

/** The places that should name the topic with waiting readings and do not. */
async function unnamed(
  stage: Stage,
  { former, logged }: { former: string; logged: number },
): Promise<string[]> {
  const { gateway } = stage;
  // The name of the dead-letter topic begins in the same way.
  const name = new RegExp(`${former.replaceAll('.', '\\.')}(?!\\.dead)`);
  const places: readonly (readonly [string, () => string | Promise<string>])[] = [
    ['the log', () => JSON.stringify(gateway.log.slice(logged))],
    ['/stats', () => gateway.ask('/stats')],
    ['/readyz', () => gateway.ask('/readyz')],
  ];
  const wrong: string[] = [];
  for (const [place, ask] of places) {
    let text = '';
    const isNamed = async () => {
      text = await ask();
      return name.test(text);
    };
    await waitFor(`${place} names the former topic`, isNamed, SEEN_MS).catch(() =>
      wrong.push(`${place} does not name ${former}: ${text.slice(-300)}`),
    );
  }
  return wrong;
}
