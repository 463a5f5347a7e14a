// Turns the text of each option into a value, or refuses it and names the allowed values.
import { InvalidArgumentError } from 'commander';
import { parseDuration, parseSize } from '../../src/config/kinds.ts';
import { parseSetting } from '../../src/config/settings.ts';
import type { Framing, Shape, Step, Target } from '../plan.ts';

const MAX_BATCH = 1000;

const refuse = (allowed: string): never => {
  throw new InvalidArgumentError(`allowed: ${allowed}.`);
};

export function target(text: string): Target {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined || port < 1 || port > 65_535) return refuse('host:port, IPv6 as [::1]:8080');
  return { host, port };
}

export function whole(text: string): number {
  return /^\d{1,15}$/.test(text) ? Number(text) : refuse('a whole number');
}

export function count(text: string): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  return value >= 1 ? value : refuse('a whole number from 1');
}

export function rate(text: string): number {
  if (text === 'max' || text === '0') return 0;
  return positive(text) ?? refuse('messages a second, or max');
}

export function step(text: string): Step {
  const percent = text.endsWith('%') ? positive(text.slice(0, -1)) : undefined;
  if (percent !== undefined) return { percent };
  const perSecond = positive(text);
  return perSecond === undefined
    ? refuse('messages a second, such as 5000, or percent, such as 25%')
    : { perSecond };
}

export function milliseconds(text: string): number {
  return positive(text.replace(/ms$/, '')) ?? refuse('milliseconds, such as 20');
}

export function duration(text: string): number {
  const ms = parseDuration(text);
  return ms !== undefined && ms >= 0 ? ms : refuse('a duration, such as 500ms, 30s or 10m');
}

export function size(text: string): number {
  return parseSize(text) ?? refuse('a size, such as 200 or 4KiB');
}

export function share(text: string): number {
  const value = text.endsWith('%')
    ? Number(text.slice(0, -1) || Number.NaN) / 100
    : Number(text || Number.NaN);
  return value >= 0 && value < 1 ? value : refuse('a share below 1, such as 0.01 or 1%');
}

export function shape(text: string): Shape {
  if (text === 'flat' || text === 'nested' || text === 'pairs') return { kind: text };
  const readings = Number(/^batch:(\d{1,4})$/.exec(text)?.[1]);
  if (!(readings >= 1 && readings <= MAX_BATCH))
    return refuse(`flat, nested, pairs, or batch:N with N from 1 to ${MAX_BATCH}`);
  return { kind: 'batch', readings };
}

const MAX_TAGS = 16;

export function tags(text: string): number {
  const value = whole(text);
  return value <= MAX_TAGS ? value : refuse(`a whole number up to ${MAX_TAGS}`);
}

export function framing(text: string): Framing {
  return text === 'lf' || text === 'octet-counted' ? text : refuse('lf or octet-counted');
}

export function brokers(text: string): string {
  const parsed = parseSetting('KAFKA_BROKERS', text);
  if (parsed === undefined || parsed.length === 0) refuse('host:port, separated by commas');
  return text;
}

export function topic(text: string): string {
  if (parseSetting('KAFKA_TOPIC_METRICS', text) === undefined) refuse('a Kafka topic name');
  return text;
}

function positive(text: string): number | undefined {
  const value = /^\d{1,9}(?:\.\d{1,6})?$/.test(text) ? Number(text) : 0;
  return value > 0 ? value : undefined;
}
