// Finds the answer to a request: who may have it, then a file, a page, or a change. It sends nothing.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Inspection } from '../inspect/inspection.ts';
import type { Log } from '../log/log.ts';
import { type Access, OPEN_PASS, type Pass } from './access/access.ts';
import type { Refusal } from './access/refusals.ts';
import { ABSOLUTE_FORM } from './access/source-check.ts';
import type { Controls, Outcome, Wish } from './controls.ts';
import type { Live } from './live/live.ts';
import type { Profiles } from './profiles.ts';
import { json, type Reply, text } from './reply.ts';
import { readBody } from './request-body.ts';
import { type Answer, ROUTES } from './routes.ts';
import type { Snapshot } from './snapshot.ts';
import { type StaticFiles, staticReply } from './static-files.ts';

export interface PageSources {
  /** Rejects with NotStartedError if there are no figures yet. */
  readonly snapshot: () => Snapshot | Promise<Snapshot>;
  readonly controls: Controls;
  readonly inspection: Inspection;
  /** Absent if HTTP_PROFILING is off. */
  readonly profiles?: Profiles | undefined;
  readonly live: Live;
  /** The files of the dashboard. Called only if a browser asks for them. */
  readonly staticFiles: () => Promise<StaticFiles>;
  readonly log: Log;
}

interface Incoming {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly access: Access;
  readonly isOnLoopback: boolean;
}

/** An answer, and the right to it for as long as it goes on. */
interface Admitted {
  readonly answer: Answer;
  readonly pass: Pass;
}

/** Rejects with NotStartedError if there are no figures yet. */
export async function answerTo(
  { request, response, access, isOnLoopback }: Incoming,
  { snapshot, controls, inspection, profiles, live, staticFiles, log }: PageSources,
): Promise<Admitted> {
  const reads = request.method === 'GET' || request.method === 'HEAD';
  const forbidden = access.checkSource(request, !reads);
  if (forbidden !== undefined) return open(refused(forbidden));
  const { path, query } = targetOf(request.url ?? '');
  const file = reads ? await staticReply(path, request, staticFiles) : undefined;
  if (file !== undefined) return open(file);

  const route = Object.hasOwn(ROUTES, path) ? ROUTES[path] : undefined;
  const change = request.method === 'POST' ? route?.change : undefined;
  const changes = change !== undefined;
  const needsToken = route?.isOpen === undefined && (changes || !isOnLoopback);
  const pass = needsToken ? await access.admit(request, changes) : OPEN_PASS;
  if ('status' in pass) return open(refused(pass));
  if (route === undefined) return open(text(404, `no such page; there are ${Object.keys(ROUTES).join(' ')}`));
  const visit = { request, access, isOnLoopback, inspection, profiles, query };
  if (changes) {
    const { remoteAddress } = request.socket;
    const wish = (body: string): Wish => ({ ...visit, body, remoteAddress, log });
    return { answer: await changed(request, response, (body) => change(controls, wish(body))), pass };
  }
  if (!reads || route.reply === undefined) return open(wrongMethod(route));
  // A probe with a former token is answered as one without.
  const mayRead = isOnLoopback || (route.isOpen === 'in part' && (await access.isOfOperator(request)));
  return { answer: await route.reply({ ...visit, snapshot, live, controls, mayRead }), pass };
}

function open(answer: Answer): Admitted {
  return { answer, pass: OPEN_PASS };
}

function refused({ status, body, headers }: Refusal): Reply {
  return { ...text(status, body), headers };
}

function wrongMethod({ reply, change }: (typeof ROUTES)[string]): Reply {
  const methods = [...(reply ? ['GET', 'HEAD'] : []), ...(change ? ['POST'] : [])].join(', ');
  return { ...text(405, `only ${methods}`), headers: { Allow: methods } };
}

async function changed(
  request: IncomingMessage,
  response: ServerResponse,
  change: (body: string) => Outcome | Promise<Outcome>,
): Promise<Answer> {
  const body = await readBody(request, response);
  if (body === undefined) return text(413, 'the body is too long; nothing was changed');
  const outcome = await change(body);
  if (typeof outcome === 'string') return text(400, outcome);
  if ('begin' in outcome) return outcome;
  const { status, body: said, headers } = outcome;
  return typeof said === 'string' ? { ...text(status, said), headers } : json(status, said, headers);
}

function targetOf(target: string): { path: string; query: URLSearchParams } {
  const [path = '', ...query] = target.replace(ABSOLUTE_FORM, '').split('?');
  return { path: path || '/', query: new URLSearchParams(query.join('?')) };
}
