// The changes that a request to the admin port can make: it begins the drain, or sets the log level of all processes. Each change
// is written to the log with the address that asked for it. access/ has let the request through.
import { LOG_LEVELS } from '../config/settings.ts';
import { changeLogLevel, type LogLevelOwner } from '../log/level.ts';
import type { Log } from '../log/log.ts';
import type { Refusal } from './access/refusals.ts';
import { jsonBody, type Operations, type Parameters } from './operations.ts';
import type { StreamReply } from './reply.ts';
import { textIn } from './request-body.ts';
import type { Visit } from './visit.ts';

export interface Controls extends LogLevelOwner {
  /** Begins the drain, after which the gateway stops. It may have begun already. */
  drain(): void;
  /** True from the order to drain on. */
  isDraining(): boolean;
}

/** The answer to a POST. A string alone is why the request is wrong, a refusal why nothing was changed. */
export type Outcome = Done | Refusal | StreamReply | string;

interface Done {
  readonly status: 200 | 202;
  readonly body: object;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Wish extends Visit {
  readonly body: string;
  readonly remoteAddress: string | undefined;
  readonly log: Log;
}

const LEVEL = {
  level: { about: 'the new level, until the next start', values: LOG_LEVELS },
} as const satisfies Parameters;

export const DRAIN = {
  get: {
    about: 'Whether the gateway drains.',
    answers: { 200: { about: 'whether it drains', content: jsonBody('Draining') } },
  },
  post: {
    about: 'Drains the gateway and then stops it, as SIGTERM does.',
    answers: { 202: { about: 'it drains', content: jsonBody('Draining') } },
  },
} as const satisfies Operations;

export const LOG_LEVEL = {
  get: {
    about: 'The log level.',
    answers: { 200: { about: 'the level', content: jsonBody('LogLevel') } },
  },
  post: {
    about:
      'Changes the log level of all processes until the next start. The bare word as the body will do too.',
    parameters: LEVEL,
    body: { fields: 'LogLevelChange', isRequired: false, bareWord: true },
    answers: {
      200: { about: 'the new level, and the one before', content: jsonBody('LogLevelChanged') },
      400: { about: 'there is no such level; nothing was changed' },
    },
  },
} as const satisfies Operations;

export function drain(controls: Controls, { remoteAddress, log }: Wish): Outcome {
  log.write('drain_asked', { remoteAddress });
  controls.drain();
  return { status: 202, body: { draining: true } };
}

export function setLogLevel(controls: Controls, { query, body, remoteAddress, log }: Wish): Outcome {
  // The bare word will do too.
  const wished = (query.get('level') ?? textIn(body, 'level') ?? body.trim()).toLowerCase();
  const level = LOG_LEVELS.find((one) => one === wished);
  if (level === undefined) return `send level=, one of ${LOG_LEVELS.join(', ')}; nothing was changed`;
  const before = controls.logLevel();
  changeLogLevel(controls, level, () =>
    log.write('log_level_changed', { by: 'POST /log-level', before, logLevel: level, remoteAddress }),
  );
  return { status: 200, body: { level, before } };
}
