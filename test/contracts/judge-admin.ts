// Judges exchanges with the admin port by docs/contracts/openapi.json. Clients have to ignore fields that they do not know, but
// here a field that no schema names is a fault: it would be one that nobody documented.
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import type { AdminExchange } from '../support/traffic/admin-port.ts';

type Json = Readonly<Record<string, unknown>>;

/** As much of OpenAPI as is read here. */
interface Media {
  readonly schema: Json;
  readonly 'x-lines'?: Json;
  readonly 'x-messages'?: Json;
  readonly 'x-events'?: Readonly<Record<string, Json>>;
}

interface Answer {
  readonly headers?: Json;
  readonly content?: Readonly<Record<string, Media>>;
}

interface DescribedOperation {
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly schema: Json }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Json }>> };
  readonly responses: Readonly<Record<string, Answer>>;
}

export interface OpenApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, DescribedOperation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Json>> };
}

/** Why the gateway may refuse with 400 a request that the document allows: rules that no schema of one parameter has. */
const REASONS_OF_400 = [
  /^there is no such parameter/,
  /^each parameter may be there once/,
  /^process is one of/,
  /^address is not an IP address/,
  /^after is not a `next`/,
  /^sort=closed is for state=closed/,
  /^send one of connection_id, device_id, address/,
  /^there are only the fields/,
  /^the body is neither a JSON object nor a form/,
  /^(?:connection_id|device_id|address) is a text/,
  // From a body in the form of text.
  /^reconnect_after_ms is a whole number/,
  /^send level=/,
  /^send \{"token":"\.\.\."\}/,
];

const COMMON_HEADERS = {
  'x-content-type-options': /^nosniff$/,
  'cross-origin-resource-policy': /^same-origin$/,
  'cache-control': /^no-store$|^no-cache$/,
};
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const FILES_PATH = '/dashboard/{file}';

export class AdminJudge {
  readonly #document: OpenApiDocument;
  readonly #ajv = new Ajv2020({ allErrors: false, strict: true, allowUnionTypes: true, coerceTypes: false });
  readonly #validators = new Map<Json, ValidateFunction>();
  /**
   * How often each of these was seen: `GET /stats 200`, with its type `GET /stats 200 application/json`, an item of a stream
   * `GET /tap: fate`, a parameter of an accepted request `GET /tap ?seconds`.
   */
  readonly seen = new Map<string, number>();

  constructor(document: OpenApiDocument) {
    this.#document = document;
    this.#ajv.addFormat('date-time', TIME);
    this.#ajv.addSchema({ $id: 'admin', $defs: closed(document.components.schemas) as Json });
  }

  /** Compiles every schema of the document. @throws Error if one is none */
  compileAll(): void {
    for (const name of Object.keys(this.#document.components.schemas))
      this.#validatorOf({ $ref: `#/components/schemas/${name}` });
    for (const operation of Object.values(this.#document.paths).flatMap((path) => Object.values(path)))
      for (const { schema } of operation.parameters ?? []) this.#validatorOf(schema);
  }

  /** What is wrong with the exchange; empty if nothing is. */
  faults(exchange: AdminExchange): string[] {
    const { method, status, headers } = exchange;
    if (isOfNode(exchange)) return [];
    const url = pathOf(exchange.target);
    const path = url.startsWith('/dashboard/') ? FILES_PATH : url;
    const read = method === 'HEAD' ? 'get' : method.toLowerCase();
    const methods = Object.hasOwn(this.#document.paths, path) ? this.#document.paths[path] : undefined;
    const operation = methods !== undefined && Object.hasOwn(methods, read) ? methods[read] : undefined;
    const name = `${method} ${operation === undefined && methods === undefined ? 'another page' : path} ${status}`;
    this.#see(name);
    this.#see(`${name} ${headers['content-type'] ?? ''}`);
    const common = Object.entries(COMMON_HEADERS)
      .filter(([header, value]) => !value.test(headers[header] ?? ''))
      .map(([header]) => `the header ${header} is ${headers[header]}`);
    const own =
      operation === undefined
        ? otherFaults(exchange, methods !== undefined)
        : [...this.#answerFaults(exchange, operation), ...this.#requestFaults(exchange, operation)];
    return [...common, ...own].map(
      (fault) => `${method} ${exchange.target.slice(0, 200)} ${status}: ${fault}`,
    );
  }

  #answerFaults(exchange: AdminExchange, { responses }: DescribedOperation): string[] {
    const { status, headers, method } = exchange;
    const answer = responses[status];
    if (answer === undefined) return ['the document has no such status'];
    const lost = Object.keys(answer.headers ?? {}).filter((name) => !isThere(name, exchange));
    const faults = lost.map((name) => `the header ${name} is missing`);
    const type = headers['content-type'] ?? '';
    const media = answer.content?.[type];
    // A 304 and a HEAD have the type of the file without its bytes.
    if (status === 304) return faults;
    if (media === undefined) return [...faults, `the document has no content of the type ${type}`];
    if (method === 'HEAD') return faults;
    return [...faults, ...this.#bodyFaults(exchange, media)];
  }

  #see(name: string): void {
    this.seen.set(name, (this.seen.get(name) ?? 0) + 1);
  }

  #bodyFaults(exchange: AdminExchange, media: Media): string[] {
    const { body, isWhole } = exchange;
    const { schema, 'x-lines': line, 'x-messages': message, 'x-events': events } = media;
    if (body === null) return [];
    const see = (item: string | undefined) => this.#see(`GET ${pathOf(exchange.target)}: ${item}`);
    if (line !== undefined)
      return partsOf(body, '\n').flatMap((text) => {
        see(eventIn(text));
        return this.#jsonFaults(text, line);
      });
    if (message !== undefined || events !== undefined)
      return partsOf(body, '\n\n').flatMap((text) => {
        see(/^event: (.*)\n/.exec(text)?.[1] ?? eventIn(text));
        return this.#eventFaults(text, { message, events });
      });
    if (schema.type === 'string') return isWhole && !/^[^\0]*\n$/.test(body) ? ['the text has no end'] : [];
    return isWhole ? this.#jsonFaults(body, schema) : [];
  }

  #eventFaults(
    text: string,
    { message, events = {} }: { message: Json | undefined; events: Media['x-events'] },
  ): string[] {
    if (/^:|^retry: \d+$/.test(text)) return [];
    const [, name, data] = /^(?:event: (.*)\n)?data: (.*)$/.exec(text) ?? [];
    if (data === undefined) return [`this is no event: ${text.slice(0, 100)}`];
    const schema = name === undefined ? message : events[name];
    return schema === undefined ? [`the document has no event ${name}`] : this.#jsonFaults(data, schema);
  }

  #jsonFaults(text: string, schema: Json): string[] {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      return [`this is not JSON: ${text.slice(0, 100)}`];
    }
    return this.#valueFaults(value, schema);
  }

  #valueFaults(value: unknown, schema: Json): string[] {
    const validate = this.#validatorOf(schema);
    return validate(value) ? [] : [this.#ajv.errorsText(validate.errors, { dataVar: 'it' })];
  }

  /** An accepted request has to fit the document. One that was refused with 400 must not fit it, unless for one of REASONS_OF_400. */
  #requestFaults(exchange: AdminExchange, operation: DescribedOperation): string[] {
    const { status, body } = exchange;
    const isAccepted = status >= 200 && status < 300;
    const isRefused = status === 400 && !REASONS_OF_400.some((reason) => reason.test(body ?? ''));
    if (!isAccepted && !isRefused) return [];
    const faults = [...this.#queryFaults(exchange, operation), ...this.#sentFaults(exchange, operation)];
    if (isAccepted && faults.length === 0)
      for (const name of queryOf(exchange).keys())
        this.#see(`${exchange.method} ${pathOf(exchange.target)} ?${name}`);
    if (isAccepted) return faults;
    return faults.length > 0 ? [] : [`it was refused, and the document allows it: ${body}`];
  }

  #queryFaults(exchange: AdminExchange, { parameters = [] }: DescribedOperation): string[] {
    const query = queryOf(exchange);
    return parameters
      .filter((parameter) => parameter.in === 'query' && query.has(parameter.name))
      .flatMap(({ name, schema }) => {
        const text = query.get(name) ?? '';
        // A number in a query is a text of digits.
        const values: unknown[] = /^\d+$/.test(text) ? [Number(text), text] : [text];
        const fits = values.some((value) => this.#valueFaults(value, schema).length === 0);
        return fits ? [] : [`the parameter ${name}=${text.slice(0, 100)} is none of the document`];
      });
  }

  #sentFaults({ requestBody: sent }: AdminExchange, { requestBody }: DescribedOperation): string[] {
    if (requestBody === undefined || sent.trim() === '') return [];
    if (!sent.trim().startsWith('{')) {
      const schema = requestBody.content['application/x-www-form-urlencoded']?.schema ?? {};
      const isWord = 'text/plain' in requestBody.content && /^\s*\w+\s*$/.test(sent);
      return isWord ? [] : this.#valueFaults(Object.fromEntries(new URLSearchParams(sent.trim())), schema);
    }
    return this.#jsonFaults(sent, requestBody.content['application/json']?.schema ?? {});
  }

  #validatorOf(schema: Json): ValidateFunction {
    const known = this.#validators.get(schema);
    if (known !== undefined) return known;
    const compiled = this.#ajv.compile(closed(schema) as Json);
    this.#validators.set(schema, compiled);
    return compiled;
  }
}

/** Node answers a broken request itself, such as one without Host, and the document says so. */
function isOfNode({ status, headers }: AdminExchange): boolean {
  return [400, 408, 431].includes(status) && headers['content-type'] === undefined;
}

function isThere(name: string, { headers }: AdminExchange): boolean {
  return headers[name.toLowerCase()] !== undefined;
}

/** A request that fits no operation: it is refused before its page is looked for, or because of it. */
function otherFaults({ status, headers }: AdminExchange, isPage: boolean): string[] {
  if ([401, 403, 429].includes(status)) return [];
  const expected = isPage ? 405 : 404;
  if (status !== expected) return [`expected ${expected}`];
  return isPage && headers.allow === undefined ? ['the header Allow is missing'] : [];
}

/** The path of a target, which may be in absolute form. */
function pathOf(target: string): string {
  const [path = ''] = target.replace(/^https?:\/\/[^/?#]*/i, '').split('?');
  return path || '/';
}

function queryOf({ target }: AdminExchange): URLSearchParams {
  return new URLSearchParams(target.split('?').slice(1).join('?'));
}

/** The name of an event of a tap. */
function eventIn(text: string): string | undefined {
  return /"event":"(\w+)"/.exec(text)?.[1];
}

/** Only whole parts. */
function partsOf(body: string, end: string): string[] {
  return body
    .split(end)
    .slice(0, -1)
    .filter((text) => text !== '');
}

/** A copy whose references lead into the schema `admin`, and whose objects have no fields but those that they name. */
function closed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closed);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, one]) =>
    key === '$ref' && typeof one === 'string'
      ? [key, one.replace('#/components/schemas/', 'admin#/$defs/')]
      : [key, closed(one)],
  );
  const copy = Object.fromEntries(entries) as Record<string, unknown>;
  const isOpen = copy.type === 'object' && 'properties' in copy && !('additionalProperties' in copy);
  return isOpen ? { ...copy, additionalProperties: false } : copy;
}
