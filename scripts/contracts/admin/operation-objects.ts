// The operations of the document, one for each method of each path of the admin port. The answers that any request may get
// come beside those of the page.
import type { AnswerForm, AnswerForms, Content, Operation } from '../../../src/admin/operations.ts';
import { TEXT_TYPE } from '../../../src/admin/reply.ts';
import { ROUTES } from '../../../src/admin/routes.ts';
import { FILES } from '../../../src/admin/static-files.ts';
import { commonAnswers } from './common-answers.ts';
import { parameterObjects } from './parameters.ts';

const METHODS = ['get', 'post'] as const;
type Method = (typeof METHODS)[number];

type Openness = true | 'in part' | undefined;

/** An operation with all of its answers. */
export interface FullOperation {
  readonly path: string;
  readonly method: Method;
  readonly isOpen: Openness;
  readonly operation: Operation;
  /** By status. */
  readonly answers: Readonly<Record<string, AnswerForm>>;
}

/** The files of the dashboard, in the document. A real path may have more than one `/`. */
export const FILES_PATH = '/dashboard/{file}';

/** In the order of the routes. */
export function operations(): FullOperation[] {
  const ofRoutes = Object.entries(ROUTES).flatMap(([path, route]) =>
    METHODS.flatMap((method) => {
      const operation = route[method];
      return operation === undefined ? [] : full(path, method, operation, route.isOpen);
    }),
  );
  return [...ofRoutes, full(FILES_PATH, 'get', FILES, true)];
}

function full(path: string, method: Method, operation: Operation, isOpen: Openness): FullOperation {
  const isChange = method === 'post';
  const common = commonAnswers({ isOpen, isChange });
  return { path, method, isOpen, operation, answers: together(operation.answers, common) };
}

/** A status that is in both gets both texts. */
function together(own: AnswerForms, common: AnswerForms): Record<string, AnswerForm> {
  const all: Record<string, AnswerForm> = { ...common };
  for (const [status, answer] of Object.entries(own)) {
    const other = all[status];
    all[status] = other === undefined ? answer : { ...answer, about: `${answer.about}; or ${other.about}` };
  }
  return all;
}

/** The operation as OpenAPI has it. */
export function operationObject({ path, method, isOpen, operation, answers }: FullOperation): object {
  const { about, parameters, body } = operation;
  const own = parameterObjects(parameters);
  const isFile = path === FILES_PATH;
  const description = 'It may have more than one `/`, which OpenAPI cannot say.';
  const file = { name: 'file', in: 'path', description, required: true, schema: { type: 'string' } };
  return {
    operationId: `${method}${idOf(path)}`,
    summary: about,
    ...((own.length > 0 || isFile) && { parameters: isFile ? [file] : own }),
    ...(body && {
      requestBody: {
        required: body.isRequired,
        content: {
          'application/json': { schema: refTo(body.fields) },
          'application/x-www-form-urlencoded': { schema: refTo(body.fields) },
          ...(body.bareWord && { 'text/plain': { schema: { type: 'string' } } }),
        },
      },
    }),
    security: securityOf(method, isOpen),
    responses: Object.fromEntries(
      Object.entries(answers).map(([status, answer]) => [status, responseObject(answer)]),
    ),
  };
}

const idOf = (path: string): string =>
  path
    .split(/[^a-z]+/)
    .filter((word) => word !== '')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('') || 'Index';

/** An empty entry means that none is needed: on loopback nothing that only reads needs the token. */
function securityOf(method: Method, isOpen: Openness): object[] {
  if (isOpen === true) return [];
  const either = [{ token: [] }, { login: [] }];
  return method === 'post' ? either : [{}, ...either];
}

function responseObject({ about, content = { [TEXT_TYPE]: 'text' }, headers = [] }: AnswerForm): object {
  const media = Object.fromEntries(Object.entries(content).map(([type, form]) => [type, mediaObject(form)]));
  const named = headers.map((name) => [name, { $ref: `#/components/headers/${name}` }]);
  return {
    description: about,
    ...(named.length > 0 && { headers: Object.fromEntries(named) }),
    ...(Object.keys(media).length > 0 && { content: media }),
  };
}

const refTo = (name: string) => ({ $ref: `#/components/schemas/${name}` });

/** OpenAPI 3.1 has no words for the items of a stream, so they are named in fields of our own. */
function mediaObject(form: Content): object {
  if (form === 'text') return { schema: { type: 'string' } };
  if (form === 'foreign json') return { schema: {} };
  if (typeof form === 'string') return { schema: refTo(form) };
  if ('lines' in form) return { schema: { type: 'string' }, 'x-lines': refTo(form.lines) };
  if ('messages' in form) return { schema: { type: 'string' }, 'x-messages': refTo(form.messages) };
  const events = Object.entries(form.events).map(([name, bodies]) => {
    const refs = bodies.map(refTo);
    return [name, refs.length === 1 ? refs[0] : { anyOf: refs }];
  });
  return { schema: { type: 'string' }, 'x-events': Object.fromEntries(events) };
}
