// Answers Produce requests, versions 3 to 7 (https://kafka.apache.org/protocol#The_Messages_Produce), with the rules of
// ReplicaManager and Partition of Kafka 4.1.
import type { ApiContext, Reply, Request } from './apis.ts';
import { checkForm } from './batch-rules.ts';
import type { BrokerNode } from './broker-node.ts';
import { CODE, codeInWords } from './error-codes.ts';
import type { AppendResult, Replica } from './replica.ts';
import { rulesOf } from './topic-config.ts';
import { Reader, Writer } from './wire.ts';

const LOG_START_SINCE = 5;

interface Part {
  readonly topic: string;
  readonly partition: number;
  readonly batch: Buffer;
}

interface Outcome extends AppendResult {
  readonly part: Part;
  readonly replica?: Replica;
}

const refusal = (part: Part, code: number): Outcome => ({ part, code, baseOffset: -1, appendMs: -1 });

export function answerProduce(request: Request, { node }: ApiContext, done: (reply: Reply) => void): void {
  const read = new Reader(request.body);
  read.nullableString();
  const [acks, timeoutMs] = [read.int16(), read.int32()];
  const parts = read
    .array(() => {
      const topic = read.string();
      return read.array(() => ({ topic, partition: read.int32(), batch: read.bytes() }));
    })
    .flat();
  const outcomes = parts.map((part) => appended(part, { node, acks, version: request.version }));
  whenDone(outcomes, { node, acks, timeoutMs }, (codes) => {
    for (const [index, { part }] of outcomes.entries()) {
      const code = codes[index] ?? CODE.none;
      if (code === CODE.none) continue;
      const place = `${part.topic}/${part.partition}`;
      node.context.note(`broker ${node.id} answers a batch of ${place} with ${codeInWords(code)}`);
    }
    const mutedMs = node.quota.record(request.bytes, node.context.clock.nowMs());
    if (acks === 0) done({ mutedMs, closes: codes.some((code) => code !== CODE.none) });
    else done({ body: encode(outcomes, codes, { version: request.version, throttleMs: mutedMs }), mutedMs });
  });
}

function appended(part: Part, at: { node: BrokerNode; acks: number; version: number }): Outcome {
  const { node, acks, version } = at;
  const { topic, partition, batch } = part;
  const { denied, clock } = node.context;
  if (denied('write', topic)) return refusal(part, CODE.topicAuthorizationFailed);
  const found = node.image.topics.get(topic);
  const place = found?.partitions[partition];
  if (found === undefined || place === undefined) return refusal(part, CODE.unknownTopic);
  const form = checkForm(batch, version);
  if (form !== CODE.none) return refusal(part, form);
  if (![-1, 0, 1].includes(acks)) return refusal(part, CODE.invalidRequiredAcks);
  const replica = node.leaderOf(topic, partition);
  if (typeof replica === 'number') return refusal(part, replica);
  const fixed = node.context.answerOf(topic);
  if (fixed?.isWritten === false) return refusal(part, fixed.code);
  const refuse = node.context.refusalOf(topic);
  const { settings } = found;
  const context = { settings, replicas: place.replicas.length, acks, nowMs: clock.wallMs(), refuse };
  const result = replica.append(batch, context);
  if (result.code === CODE.none) node.wakeFollowers(replica);
  return fixed === undefined ? { ...result, part, replica } : refusal(part, fixed.code);
}

/** Waits for the replicas if acks is -1. */
function whenDone(
  outcomes: readonly Outcome[],
  { node, acks, timeoutMs }: { node: BrokerNode; acks: number; timeoutMs: number },
  done: (codes: number[]) => void,
): void {
  const codes = outcomes.map(({ code }) => code);
  const waits = acks === -1 ? outcomes.filter(({ code }) => code === CODE.none) : [];
  const open = new Set(waits);
  if (open.size === 0) {
    done(codes);
    return;
  }
  const settle = (outcome: Outcome, code: number) => {
    if (!open.delete(outcome)) return;
    codes[outcomes.indexOf(outcome)] = code;
    if (open.size > 0) return;
    cancel();
    done(codes);
  };
  const giveUps: (() => void)[] = [];
  const cancel = node.after(timeoutMs, () => {
    for (const giveUp of giveUps) giveUp();
    for (const outcome of [...open]) settle(outcome, CODE.requestTimedOut);
  });
  for (const outcome of waits) {
    const topic = node.image.topics.get(outcome.part.topic);
    const replicas = topic?.partitions[outcome.part.partition]?.replicas.length ?? 1;
    const needed = Math.min(rulesOf(topic?.settings ?? {}).minInsync, replicas);
    const giveUp = outcome.replica?.whenReplicated(needed, (code) => settle(outcome, code));
    if (giveUp !== undefined) giveUps.push(giveUp);
  }
}

function encode(
  outcomes: readonly Outcome[],
  codes: readonly number[],
  { version, throttleMs }: { version: number; throttleMs: number },
): Buffer {
  const topics = [...new Set(outcomes.map(({ part }) => part.topic))];
  return new Writer()
    .array(topics, (write, topic) => {
      const ours = outcomes.filter(({ part }) => part.topic === topic);
      write.string(topic).array(ours, (_, outcome) => {
        const code = codes[outcomes.indexOf(outcome)] ?? CODE.none;
        const { part, baseOffset, appendMs, replica } = outcome;
        // A batch that was written keeps its offset in the answer, also if not all replicas have it.
        const isWritten = outcome.code === CODE.none;
        write.int32(part.partition).int16(code);
        write.int64(baseOffset).int64(appendMs);
        if (version >= LOG_START_SINCE) write.int64(isWritten ? (replica?.log.startOffset ?? -1) : -1);
      });
    })
    .int32(throttleMs).buffer;
}
