// The pages of a login: /session says if its browser may read and change, /login and /logout set and remove the cookie. Which tokens
// and cookies count is in access/.
import type { Pass } from './access/access.ts';
import type { Outcome, Wish } from './controls.ts';
import { jsonBody, type Operations } from './operations.ts';
import { textIn } from './request-body.ts';
import type { Visit } from './visit.ts';

/** The body of /session. */
export interface Session {
  readonly login: 'needed' | 'not needed' | 'done';
  /** HTTP_TOKEN is set. */
  readonly canLogIn: boolean;
  readonly mayRead: boolean;
  readonly mayChange: boolean;
  /** RFC 3339. Null without a login. */
  readonly expiresAt: string | null;
  /** The numbers of the server processes. */
  readonly processes: readonly number[];
}

export const SESSION: Operations = {
  get: {
    about: 'What a browser may do here.',
    answers: {
      200: { about: 'what this request, with its cookie or header, may do', content: jsonBody('Session') },
    },
  },
};

export const LOGIN: Operations = {
  post: {
    about: 'Begins a login: a cookie that counts as the token for 12 hours.',
    body: { fields: 'Login', isRequired: true },
    answers: {
      200: {
        about: 'the login has begun; the body is that of /session',
        content: jsonBody('Session'),
        headers: ['Set-Cookie'],
      },
      400: { about: 'the body has no token' },
      401: { about: 'this is not HTTP_TOKEN', headers: ['WWW-Authenticate'] },
      403: { about: 'HTTP_TOKEN is not set' },
      429: { about: 'too many wrong tokens from this address', headers: ['Retry-After'] },
    },
  },
};

export const LOGOUT: Operations = {
  post: {
    about: 'Ends the login of the cookie.',
    answers: {
      200: {
        about: 'the cookie no longer counts; the body is that of /session',
        content: jsonBody('Session'),
        headers: ['Set-Cookie'],
      },
    },
  },
};

export async function sessionOf(visit: Visit): Promise<Session> {
  const { access, request } = visit;
  if (!access.hasToken || !access.hasCredentials(request)) return bodyOf(visit, undefined);
  const pass = await access.admit(request);
  return bodyOf(visit, 'isValid' in pass ? pass : undefined);
}

export async function logIn(wish: Wish): Promise<Outcome> {
  const { access, request, body, log } = wish;
  const token = textIn(body, 'token');
  if (token === undefined) return 'send {"token":"..."} with HTTP_TOKEN';
  const begun = await access.logIn(request, token);
  if ('status' in begun) return begun;
  log.write('admin_logged_in', { remoteAddress: request.socket.remoteAddress });
  return { status: 200, body: bodyOf(wish, begun.pass), headers: { 'Set-Cookie': begun.cookie } };
}

export async function logOut(wish: Wish): Promise<Outcome> {
  const cookie = await wish.access.logOut(wish.request);
  return { status: 200, body: bodyOf(wish, undefined), headers: { 'Set-Cookie': cookie } };
}

function bodyOf({ access, isOnLoopback, inspection }: Visit, pass: Pass | undefined): Session {
  const isDone = pass !== undefined;
  const { endsAtMs } = pass ?? {};
  return {
    login: isDone ? 'done' : isOnLoopback ? 'not needed' : 'needed',
    canLogIn: access.hasToken,
    mayRead: isDone || isOnLoopback,
    mayChange: isDone,
    expiresAt: endsAtMs === undefined ? null : new Date(endsAtMs).toISOString(),
    processes: inspection.processes,
  };
}
