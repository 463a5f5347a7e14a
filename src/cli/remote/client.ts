// The client of a gateway's admin port, which all commands share. Every wait has a limit, every answer a greatest size. The
// token goes into a header and nowhere else.
import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { answerIn } from './answer-json.ts';
import { notSluice, RemoteError, refused, tooLate, unreachable } from './failure.ts';

const CLIENT_LIMITS = {
  /** Until an answer is complete, or a stream begins. The gateway waits 2 s for its processes. */
  answerMs: 10_000,
  /** A stream has something every few seconds. */
  silenceMs: 30_000,
  answerBytes: 16 * 2 ** 20,
  lineBytes: 2 ** 20,
} as const;

const MAX_REFUSAL_BYTES = 4096;

export type Query = Readonly<Record<string, string | number | undefined>>;

interface Asked {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly query?: Query | undefined;
  readonly body?: object | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Until the answer begins. */
  readonly waitMs?: number;
}

export interface AnswerOptions extends Pick<Asked, 'query' | 'signal'> {
  /** Statuses other than 200 and 202 that are an answer. */
  readonly statuses?: readonly number[];
}

export interface JsonAnswer {
  readonly status: number;
  readonly body: unknown;
}

type Limits = Readonly<Record<keyof typeof CLIENT_LIMITS, number>>;

export class AdminClient {
  /** Scheme, host and port, for messages. */
  readonly origin: string;
  readonly #url: URL;
  readonly #token: string | null;
  readonly #limits: Limits;

  constructor(url: URL, token: string | null, limits: Partial<Limits> = {}) {
    this.#url = url;
    this.#token = token;
    this.#limits = { ...CLIENT_LIMITS, ...limits };
    this.origin = url.origin;
  }

  /** Rejects with RemoteError, as all others. */
  async get(path: string, { statuses = [], ...options }: AnswerOptions = {}): Promise<JsonAnswer> {
    return this.#json({ method: 'GET', path, ...options }, statuses);
  }

  async post(path: string, body: object, signal?: AbortSignal): Promise<JsonAnswer> {
    return this.#json({ method: 'POST', path, body, signal }, []);
  }

  /** Its lines, until the other side or the signal ends it. */
  async *lines(path: string, { query, signal }: AnswerOptions = {}): AsyncGenerator<string> {
    const response = await this.#answer({ method: 'GET', path, query, signal }, []);
    let rest = '';
    response.setEncoding('utf8');
    for await (const text of this.#chunks(response, signal)) {
      const lines = (rest + String(text)).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > this.#limits.lineBytes) throw notSluice(this.origin, 'a line has no end');
      yield* lines;
    }
  }

  /** @param waitMs until the first byte: a profile is complete before it is sent */
  async download(
    path: string,
    { query, signal, waitMs }: Required<Pick<Asked, 'query' | 'signal' | 'waitMs'>>,
  ) {
    const response = await this.#answer({ method: 'POST', path, query, signal, waitMs }, []);
    return { headers: response.headers, chunks: this.#chunks(response, signal) };
  }

  async *#chunks(response: IncomingMessage, signal: AbortSignal | undefined): AsyncGenerator<unknown> {
    const { silenceMs } = this.#limits;
    response.socket.setTimeout(silenceMs, () => response.destroy(tooLate(this.origin, silenceMs / 1000)));
    try {
      yield* response;
    } catch (error) {
      if (signal?.aborted) return;
      throw error instanceof RemoteError ? error : unreachable(this.origin, error);
    }
  }

  async #json(asked: Asked, statuses: readonly number[]): Promise<JsonAnswer> {
    const { answerMs, answerBytes } = this.#limits;
    const late = tooLate(this.origin, answerMs / 1000);
    // Not AbortSignal.any(): it leaves something at a signal that lives as long as `sluice top`, with each request.
    const end = new AbortController();
    const ended = () => end.abort();
    const timer = setTimeout(() => end.abort(late), answerMs);
    asked.signal?.addEventListener('abort', ended, { once: true });
    try {
      const response = await this.#answer({ ...asked, signal: end.signal }, statuses);
      const { text, isWhole } = await textOf(response, answerBytes);
      if (!isWhole) throw notSluice(this.origin, 'the answer has no end');
      return { status: response.statusCode ?? 0, body: answerIn(text) ?? this.#notJson(asked.path) };
    } catch (error) {
      if (error instanceof RemoteError) throw error;
      throw end.signal.reason === late ? late : unreachable(this.origin, error);
    } finally {
      clearTimeout(timer);
      asked.signal?.removeEventListener('abort', ended);
    }
  }

  #notJson(path: string): never {
    throw notSluice(this.origin, `${path} is no JSON`);
  }

  /** The answer once its head is there. */
  async #answer(asked: Asked, statuses: readonly number[]): Promise<IncomingMessage> {
    const { path, waitMs = this.#limits.answerMs } = asked;
    let response: IncomingMessage;
    try {
      response = await this.#send(asked, waitMs);
    } catch (error) {
      throw error instanceof RemoteError || asked.signal?.aborted ? error : unreachable(this.origin, error);
    }
    const { statusCode: status = 0, headers } = response;
    const isJson = headers['content-type']?.includes('json') === true;
    if (status === 200 || status === 202 || (isJson && statuses.includes(status))) return response;
    const text = await this.#reasonIn(response);
    response.destroy();
    const sentToken = this.#token !== null;
    throw refused({ origin: this.origin, path, status, text: isHtml(headers) ? '' : text, sentToken });
  }

  /** As much of it as comes in time. */
  async #reasonIn(response: IncomingMessage): Promise<string> {
    const timer = setTimeout(() => response.destroy(), this.#limits.answerMs);
    try {
      return (await textOf(response, MAX_REFUSAL_BYTES)).text;
    } catch {
      return '';
    } finally {
      clearTimeout(timer);
    }
  }

  #send({ method, path, query = {}, body, signal }: Asked, waitMs: number): Promise<IncomingMessage> {
    const url = new URL(`${this.#url.pathname.replace(/\/$/, '')}${path}`, this.#url);
    for (const [name, value] of Object.entries(query))
      if (value !== undefined) url.searchParams.set(name, String(value));
    const text = body === undefined ? undefined : JSON.stringify(body);
    const headers = {
      Accept: 'application/json, application/x-ndjson, */*;q=0.1',
      ...(text !== undefined && {
        'Content-Type': 'application/json',
        'Content-Length': Buffer.byteLength(text),
      }),
      ...(this.#token !== null && { Authorization: `Bearer ${this.#token}` }),
    };
    const send = url.protocol === 'https:' ? requestHttps : requestHttp;
    return new Promise((resolve, reject) => {
      const request = send(url, { method, headers, ...(signal !== undefined && { signal }) });
      const timer = setTimeout(() => request.destroy(tooLate(this.origin, waitMs / 1000)), waitMs);
      request.once('response', resolve).on('error', reject);
      request.once('close', () => clearTimeout(timer)).once('response', () => clearTimeout(timer));
      request.end(text);
    });
  }
}

/** Its start, if it is longer. */
async function textOf(
  response: IncomingMessage,
  maxBytes: number,
): Promise<{ readonly text: string; readonly isWhole: boolean }> {
  const chunks: Buffer[] = [];
  let left = maxBytes;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk.subarray(0, left));
    left -= chunk.length;
    if (left < 0) break;
  }
  return { text: Buffer.concat(chunks).toString('utf8'), isWhole: left >= 0 };
}

function isHtml(headers: IncomingMessage['headers']): boolean {
  return headers['content-type']?.includes('html') === true;
}
