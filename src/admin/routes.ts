// The table of the pages of the admin port, of who may read each, and of the changes that a POST makes. router.ts checks
// the request first.
import type { ProcessAbout } from '../inspect/questions.ts';
import { CONNECTIONS, connections } from './connections.ts';
import { type Controls, DRAIN, drain, LOG_LEVEL, type Outcome, setLogLevel, type Wish } from './controls.ts';
import { HEALTH, health, READYZ, readiness, readinessInWords, statusOf } from './health-pages.ts';
import { KICK, kick } from './kick.ts';
import { EVENTS, eventsReply } from './live/events.ts';
import type { Live } from './live/live.ts';
import { METRICS_CONTENT_TYPE, renderMetrics } from './metrics.ts';
import { jsonBody, type Operations, STARTING } from './operations.ts';
import { PROFILE, PROFILING_OFF } from './profiles.ts';
import { REFUSALS, refusalsPage } from './refusals-page.ts';
import { json, type Reply, type StreamReply, TEXT_TYPE, text } from './reply.ts';
import { LOGIN, LOGOUT, logIn, logOut, SESSION, sessionOf } from './session.ts';
import type { Snapshot } from './snapshot.ts';
import { PAGE } from './static-files.ts';
import { TAP, tapReply } from './tap/stream.ts';
import type { Visit } from './visit.ts';

export type Answer = Reply | StreamReply;

interface Route extends Operations {
  /** A line of the list at `/`. */
  readonly about: string;
  /** Needs no token, wherever the port is bound: probes and scrapers have none. `in part`: with the token it says more. */
  readonly isOpen?: true | 'in part';
  /** Answers GET. */
  readonly reply?: (asked: Asked) => Answer | Promise<Answer>;
  /** Answers POST, which needs the token on loopback too, unless the route is open. */
  readonly change?: (controls: Controls, wish: Wish) => Outcome | Promise<Outcome>;
}

/** The sources of a page. */
export interface Asked extends Visit {
  readonly snapshot: () => Snapshot | Promise<Snapshot>;
  readonly live: Live;
  readonly controls: Controls;
  /** Whether the client may read all that /stats has: it sent the token, or the port is on loopback. */
  readonly mayRead: boolean;
}

/** The body of /processes. */
export interface ProcessesPage {
  readonly processes: readonly (ProcessAbout & { readonly index: number })[];
  readonly missing: readonly number[];
}

export const ROUTES: Readonly<Record<string, Route>> = {
  '/': {
    about: 'the dashboard for browsers, else this list',
    get: {
      about: 'The dashboard, if `Accept` has text/html; else the list of the pages.',
      answers: {
        200: { about: 'the dashboard, or the list', content: { [PAGE.type]: 'text', [TEXT_TYPE]: 'text' } },
        ...PAGE.answers,
      },
    },
    reply: () => text(200, index()),
  },
  '/healthz': {
    about: '200 while the process lives and its event loop turns',
    get: {
      about: 'Whether the process lives. For liveness probes.',
      answers: { 200: { about: 'it lives, and its event loop turns' } },
    },
    isOpen: true,
    reply: () => text(200, 'ok'),
  },
  '/readyz': {
    about: '200 while data sent now would be kept, else 503 with the reasons; ?verbose in words',
    ...READYZ,
    isOpen: 'in part',
    reply: async ({ snapshot, query, mayRead }) => {
      const taken = await snapshot();
      const status = statusOf(taken.readiness);
      return query.has('verbose')
        ? text(status, readinessInWords(taken, mayRead))
        : json(status, readiness(taken));
    },
  },
  '/health': {
    about: 'the state of each component as JSON, with the status of /readyz',
    ...HEALTH,
    isOpen: 'in part',
    reply: async ({ snapshot, mayRead }) => {
      const taken = await snapshot();
      return json(statusOf(taken.readiness), health(taken, mayRead));
    },
  },
  '/stats': {
    about: 'all figures as JSON',
    get: {
      about: 'All figures of the gateway, its readiness and the state of each component.',
      answers: { 200: { about: 'the figures', content: jsonBody('Stats') }, ...STARTING },
    },
    reply: async ({ snapshot }) => json(200, await snapshot()),
  },
  '/metrics': {
    about: 'all figures for Prometheus',
    get: {
      about: 'All figures for Prometheus. docs/metrics.md names them.',
      answers: {
        200: { about: 'the text format of Prometheus', content: { [METRICS_CONTENT_TYPE]: 'text' } },
        ...STARTING,
      },
    },
    isOpen: true,
    reply: async ({ snapshot }) => ({
      status: 200,
      type: METRICS_CONTENT_TYPE,
      body: await renderMetrics(await snapshot()),
    }),
  },
  '/events': {
    about: 'the figures of each second as server-sent events; ?process=0 of one server process',
    get: EVENTS,
    reply: ({ query, live, inspection }) => eventsReply(query, { live, inspection }),
  },
  '/refusals': {
    about: 'how often each reply code was sent, with its last refused line, as JSON',
    ...REFUSALS,
    reply: async ({ snapshot, inspection }) => json(200, await refusalsPage(await snapshot(), inspection)),
  },
  '/tap': {
    about: 'a sample of live lines with their fate as JSON lines; ?device_id= address= zipcode= refused',
    get: TAP,
    reply: (asked) => tapReply(asked),
  },
  '/profile': {
    about: 'POST ?kind=cpu or heap brings a profile of a process as a file, with HTTP_PROFILING=true',
    post: PROFILE,
    change: (_controls, wish) => wish.profiles?.take(wish) ?? PROFILING_OFF,
  },
  '/processes': {
    about: 'the server processes as JSON',
    get: {
      about: 'The server processes.',
      answers: { 200: { about: 'those that answered', content: jsonBody('Processes') } },
    },
    reply: async ({ inspection }) => {
      const { answers, missing } = await inspection.ask('process', null);
      const processes = answers.map(({ process, answer }) => ({ index: process, ...answer }));
      return json(200, { processes, missing } satisfies ProcessesPage);
    },
  },
  '/connections': {
    about: 'connections as JSON, up to 100; docs/admin-api.md has the parameters',
    get: CONNECTIONS,
    reply: ({ inspection, query }) => connections(inspection, query),
  },
  '/kick': {
    about: 'POST closes connections: connection_id=, device_id= or address=, and reconnect_after_ms=',
    post: KICK,
    change: kick,
  },
  '/log-level': {
    about: 'the log level as JSON; POST ?level=debug changes it until the next start',
    ...LOG_LEVEL,
    reply: ({ controls }) => json(200, { level: controls.logLevel() }),
    change: setLogLevel,
  },
  '/drain': {
    about: 'whether it drains, as JSON; POST drains the gateway, then stops it, as SIGTERM does',
    ...DRAIN,
    reply: ({ controls }) => json(200, { draining: controls.isDraining() }),
    change: drain,
  },
  '/session': {
    about: 'what a browser may do here, as JSON',
    ...SESSION,
    isOpen: true,
    reply: async (asked) => json(200, await sessionOf(asked)),
  },
  '/login': {
    about: 'POST the token, and get a cookie that counts as the token for 12 hours',
    ...LOGIN,
    isOpen: true,
    change: (_controls, wish) => logIn(wish),
  },
  '/logout': {
    about: 'POST ends the login',
    ...LOGOUT,
    isOpen: true,
    change: (_controls, wish) => logOut(wish),
  },
};

function index(): string {
  const lines = Object.entries(ROUTES).map(([path, { about }]) => `${path.padEnd(14)}${about}`);
  return ['sluice', '', ...lines].join('\n');
}
