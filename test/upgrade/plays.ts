// Upgrades and rollbacks of a gateway with readings on its disk, played with the builds of two commits and a real Kafka
// that is away for a while.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { freePort } from '../../scripts/kafka/ports.ts';
import { createTopic, readTopic, uniqueTopic } from '../support/kafka.ts';
import type { Build } from './builds.ts';
import type { KafkaOutage, Play, Versions } from './play.ts';
import { rolling } from './rolling.ts';
import { assertOnceInOrder, type Sender, sendersOf } from './senders.ts';
import { type Env, Served } from './served.ts';

const SENDERS = 6;
const PARTITIONS = 3;
/** Readings of each device: with Kafka, on the disk of the first program, and on that of the second one. */
const READINGS = { before: 20, first: 200, second: 50, after: 20 } as const;
const SPOOL_FORMAT = /has format version \d+, and this program knows versions up to \d+/;

export const PLAYS: readonly Play[] = [
  {
    name: 'upgrade',
    about:
      'OLD writes readings to its disk while Kafka is away, and is stopped. NEW starts on that disk before Kafka is back.',
    run: ({ from, to, kafka }) => change(kafka, { first: from, second: to }),
  },
  {
    name: 'upgrade after a kill',
    about:
      'The same, but OLD has two server processes and is killed (SIGKILL) instead of stopped. NEW has one process, which sends both parts of the disk.',
    run: ({ from, to, kafka }) => change(kafka, { first: from, second: to, kills: true, processes: 2 }),
  },
  {
    name: 'rollback',
    about:
      'NEW writes readings to its disk while Kafka is away, and is stopped. OLD sends them. If OLD refuses the disk, NEW sends them.',
    run: ({ from, to, kafka }) => change(kafka, { first: to, second: from }),
  },
  {
    name: 'there and back',
    about:
      'NEW, NEW started again, OLD and NEW, each with readings on the disk while Kafka is away, and refused lines in NEW. Readings and dead letters arrive once.',
    run: (versions) => thereAndBack(versions, { knowsTopic: true }),
  },
  {
    name: 'there and back without Kafka',
    about:
      'The same, but Kafka was away from the first start on, so nobody knew the number of partitions. Each arrives once, and the order of each connection is kept.',
    run: (versions) => thereAndBack(versions, { knowsTopic: false }),
  },
  {
    name: 'a topic that only NEW has',
    about:
      'NEW writes plain lines for a topic of their own to the disk, OLD runs with the settings that it knows, and NEW again. Each line arrives once.',
    run: otherTopic,
  },
  {
    name: 'one spool, two versions',
    about: 'While OLD runs, NEW is refused on the same spool, and the other way round.',
    run: beside,
  },
  {
    name: 'settings that are not known',
    about:
      'OLD starts with a setting that only NEW has. It is refused and named, and the disk is not touched.',
    run: unknownSettings,
  },
  {
    name: 'resume',
    about:
      'Devices resume over OLD, NEW, OLD and NEW. An answer is the newest seq that is stored, or that nothing is known.',
    run: resumes,
  },
  {
    name: 'rolling behind HAProxy',
    about:
      'Two gateways of OLD behind HAProxy under load become NEW one after the other, and OLD again. No stored reading is lost or twice.',
    run: rolling,
  },
];

interface Stage {
  readonly gateway: Served;
  readonly topic: string;
  readonly deadLetters: string;
  readonly bootstrap: string;
  readonly env: Env;
}

/** Topics of its own, and a gateway that is not started. */
async function onStage(
  kafka: KafkaOutage,
  work: (stage: Stage) => Promise<string>,
  own: Env = {},
): Promise<string> {
  const topic = uniqueTopic('upgrade');
  const deadLetters = `${topic}.dead`;
  await createTopic(kafka.bootstrap, topic, { partitions: PARTITIONS });
  await createTopic(kafka.bootstrap, deadLetters, { partitions: 1 });
  const env = {
    KAFKA_BROKERS: kafka.address,
    KAFKA_TOPIC_METRICS: topic,
    KAFKA_TOPIC_DEAD_LETTERS: deadLetters,
    // The judge reads it without another package.
    KAFKA_COMPRESSION: 'gzip',
    ...own,
  };
  const gateway = await Served.reserve(env);
  try {
    return await work({ gateway, topic, deadLetters, bootstrap: kafka.bootstrap, env });
  } finally {
    await gateway.close();
    await kafka.back();
  }
}

/** Sends, and resolves when Kafka has it. `stored` alone may come from the disk, before the number of partitions is known. */
async function reachKafka(
  { gateway, topic, bootstrap }: Pick<Stage, 'gateway' | 'topic' | 'bootstrap'>,
  senders: readonly Sender[],
): Promise<void> {
  await all(senders, (one) => one.send(gateway.port, READINGS.before));
  await assertOnceInOrder(bootstrap, topic, { senders });
}

interface Change {
  readonly first: Build;
  readonly second: Build;
  readonly kills?: boolean;
  readonly processes?: number;
}

function change(
  kafka: KafkaOutage,
  { first, second, kills = false, processes = 1 }: Change,
): Promise<string> {
  return onStage(
    kafka,
    async ({ gateway, topic, bootstrap }) => {
      const senders = sendersOf(SENDERS);
      const orderOf = processes > 1 ? 'connection' : 'device';
      await gateway.start(first);
      await reachKafka({ gateway, topic, bootstrap }, senders);
      await kafka.away();
      await all(senders, (one) => one.send(gateway.port, READINGS.first));
      await (kills ? gateway.kill() : gateway.stop());
      const { logs, bytes } = onDisk(gateway.spool);
      assert.ok(logs > 0 && bytes > 0, 'readings wait on the disk');
      const seen = `${logs} logs with ${bytes} bytes waited on the disk`;
      const refusal = await startsOrRefuses(gateway, second, { TCP_PROCESSES: '1' });
      if (refusal !== undefined) {
        await gateway.start(first);
        await kafka.back();
        await assertOnceInOrder(bootstrap, topic, { senders, orderOf });
        return `${seen}; ${second.name} refused them (${refusal}), ${first.name} sent them`;
      }
      await all(senders, (one) => one.send(gateway.port, READINGS.second));
      await kafka.back();
      await assertOnceInOrder(bootstrap, topic, { senders, orderOf });
      await all(senders, (one) => one.send(gateway.port, READINGS.after));
      await assertOnceInOrder(bootstrap, topic, { senders, orderOf });
      await gateway.stop();
      const count = senders.reduce((sum, { sent }) => sum + sent, 0);
      return `${seen}; ${second.name} sent them; ${count} readings, each once and in ${orderOf === 'device' ? 'order' : 'the order of its connection'}`;
    },
    { TCP_PROCESSES: String(processes) },
  );
}

/** Undefined if it started. The reason if the format of the spool is too new for it. */
async function startsOrRefuses(gateway: Served, build: Build, env: Env = {}): Promise<string | undefined> {
  try {
    await gateway.start(build, env);
    return undefined;
  } catch (error) {
    const said = gateway.log.find((line) => SPOOL_FORMAT.test(line));
    if (said === undefined) throw error;
    assert.match(said, /spool drain/, 'the refusal says what to do');
    return SPOOL_FORMAT.exec(said)?.[0];
  }
}

async function thereAndBack(
  { from, to, kafka }: Versions,
  { knowsTopic }: { knowsTopic: boolean },
): Promise<string> {
  return onStage(kafka, async ({ gateway, topic, deadLetters, bootstrap }) => {
    const senders = sendersOf(SENDERS);
    let letters = 0;
    if (knowsTopic) {
      await gateway.start(to);
      await reachKafka({ gateway, topic, bootstrap }, senders);
      await kafka.away();
      await all(senders, (one) => one.send(gateway.port, READINGS.first));
      await gateway.stop();
    }
    await kafka.away();
    const refusals: string[] = [];
    for (const build of [to, from, to]) {
      const refused = build === to;
      const refusal = await startsOrRefuses(gateway, build);
      if (refusal !== undefined) {
        refusals.push(refusal);
        continue;
      }
      // 0.1.0 keeps no dead letters on its disk, so only NEW gets lines that it refuses.
      await all(senders, (one) => one.send(gateway.port, READINGS.second, { refused }));
      if (refused) letters += senders.length;
      await gateway.stop();
    }
    await gateway.start(to);
    await kafka.back();
    const orderOf = knowsTopic ? 'device' : 'connection';
    await assertOnceInOrder(bootstrap, topic, { senders, orderOf });
    const dead = await readTopic(bootstrap, deadLetters, letters);
    assert.equal(dead.length, letters);
    await gateway.stop();
    return `${refusals.length} refused starts; ${letters} dead letters, each once`;
  });
}

async function otherTopic({ from, to, kafka }: Versions): Promise<string> {
  return onStage(kafka, async ({ gateway, topic, bootstrap }) => {
    const senders = sendersOf(SENDERS);
    const linesTopic = `${topic}.lines`;
    await createTopic(bootstrap, linesTopic, { partitions: 1 });
    const linesPort = await freePort();
    const lines = { TCP_LINES_PORT: String(linesPort), TCP_LINES_TOPIC: linesTopic };
    await gateway.start(to, lines);
    await reachKafka({ gateway, topic, bootstrap }, senders);
    await kafka.away();
    await all(senders, (one) => one.send(gateway.port, READINGS.first));
    await sendLines(linesPort, READINGS.first);
    await gateway.stop();
    const refusal = await startsOrRefuses(gateway, from);
    if (refusal === undefined) {
      await kafka.back();
      await all(senders, (one) => one.send(gateway.port, READINGS.second));
      await assertOnceInOrder(bootstrap, topic, { senders });
      await gateway.stop();
    }
    await gateway.start(to, lines);
    await kafka.back();
    await assertOnceInOrder(bootstrap, topic, { senders });
    const values = (await readTopic(bootstrap, linesTopic, READINGS.first)).map(({ value }) => String(value));
    assert.deepEqual(values, lineTexts(READINGS.first));
    await gateway.stop();
    return `${values.length} lines waited while ${from.name} ran, and arrived once and in order`;
  });
}

const lineTexts = (count: number): string[] => Array.from({ length: count }, (_, n) => `{"line":${n}}`);

/** Resolves when the gateway has read all lines and ended the connection. */
async function sendLines(port: number, count: number): Promise<void> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.end(`${lineTexts(count).join('\n')}\n`);
  socket.resume();
  await once(socket, 'close');
}

async function beside({ from, to, kafka }: Versions): Promise<string> {
  return onStage(kafka, async ({ gateway, env }) => {
    const codes: string[] = [];
    for (const [first, second] of [
      [from, to],
      [to, from],
    ] as const) {
      await gateway.start(first);
      // A start waits for a predecessor that is stopping, for SHUTDOWN_TIMEOUT and some seconds.
      const other = await Served.reserve({ ...env, SHUTDOWN_TIMEOUT: '1s' }, gateway.spool);
      try {
        const code = await other.startsInVain(second);
        assert.ok(code === 78 || code === 1, `${second.name} ended with ${code}\n${other.log.join('\n')}`);
        assert.ok(
          other.log.some((line) => line.includes(gateway.spool)),
          `the refusal names the directory\n${other.log.join('\n')}`,
        );
        codes.push(`${second.name} ends with ${code}`);
      } finally {
        await other.close();
      }
      await gateway.stop();
    }
    return codes.join(', ');
  });
}

async function unknownSettings({ from, to, kafka }: Versions): Promise<string> {
  const [known, news] = await Promise.all([settingsOf(from), settingsOf(to)]);
  const name = news.find((one) => !known.includes(one) && !one.endsWith('_FILE'));
  if (name === undefined) return 'both have the same settings';
  return onStage(kafka, async ({ gateway }) => {
    const code = await gateway.startsInVain(from, { [name]: '1' });
    assert.equal(code, 78, gateway.log.join('\n'));
    assert.ok(
      gateway.log.some((line) => line.includes(name)),
      gateway.log.join('\n'),
    );
    assert.ok(!existsSync(gateway.spool), 'the disk is as it was');
    const count = news.filter((one) => !known.includes(one)).length;
    return `${count} settings are new; ${name} is refused with exit code 78`;
  });
}

async function settingsOf({ main }: Build): Promise<readonly string[]> {
  const file = join(main, '../config/settings.js');
  const module = (await import(pathToFileURL(file).href)) as { readonly SETTING_NAMES: readonly string[] };
  return module.SETTING_NAMES;
}

async function resumes({ from, to, kafka }: Versions): Promise<string> {
  return onStage(kafka, async ({ gateway, topic, bootstrap }) => {
    const senders = sendersOf(SENDERS, { resumes: true });
    const told: string[] = [];
    for (const build of [from, to, from, to]) {
      await gateway.start(build);
      const answers = await all(senders, async (one) => {
        const stored = one.sent;
        return { stored, answer: await one.send(gateway.port, READINGS.before) };
      });
      // An older seq would come from a table that was kept through a rollback.
      for (const { stored, answer } of answers)
        assert.ok((answer ?? stored) === stored, `${build.name} says ${answer}, and ${stored} is stored`);
      const known = answers.filter(({ answer }) => answer != null).length;
      told.push(`${build.name} knew ${known} of ${senders.length} devices`);
      await gateway.stop();
    }
    // A start may write to the disk before it has reached Kafka, and 0.1.0 does not see records without a partition.
    await assertOnceInOrder(bootstrap, topic, { senders, orderOf: 'connection' });
    return told.join('; ');
  });
}

const all = <T>(senders: readonly Sender[], work: (sender: Sender) => Promise<T>): Promise<T[]> =>
  Promise.all(senders.map(work));

/** Logs of readings in all parts, and the bytes in them. */
function onDisk(spool: string): { logs: number; bytes: number } {
  const files = readdirSync(spool, { recursive: true, encoding: 'utf8' }).filter(
    (path) => path.endsWith('.log') && !path.includes('dead-letters'),
  );
  const bytes = files.reduce((sum, path) => sum + readFileSync(join(spool, path)).length, 0);
  return { logs: files.length, bytes };
}
