// Asks an authorization server for tokens with the grant `client_credentials` (RFC 6749, 4.4). Every wait and every answer
// has a limit, redirects are not followed, and neither the secret nor a token gets into a message.
import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { content, MAX_FILE_BYTES } from '../../config/file-content.ts';
import { certificatesIn, ofSetting } from '../../config/pem.ts';
import { printable } from '../../config/printable.ts';
import { hideSecret } from '../../log/hide-secrets.ts';
import { ClusterError } from '../client/cluster-error.ts';
import { endpointAdvice } from './endpoint-advice.ts';
import type { Token } from './token-source.ts';

export interface TokenEndpointOptions {
  readonly url: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly scope: string | null;
  readonly audience: string | null;
  /** The path of a PEM file; null = Node's own list of authorities. */
  readonly ca: string | null;
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 5_000;
const MAX_ANSWER_BYTES = 64 * 1024;
const MAX_SHOWN = 200;
/** If the server tells no lifetime, and the token does not either. RFC 6749 only recommends `expires_in`. */
const ASSUMED_LIFETIME_MS = 5 * 60_000;
/** RFC 6750, 2.1. Anything else would break the message to the broker. */
const BEARER_TOKEN = /^[\w.~+/-]+=*$/;

interface Answer {
  readonly status: number;
  readonly location: string | undefined;
  readonly body: string;
}

/** The fields of RFC 6749, 5.1 and 5.2, as far as they have the right type. */
interface Fields {
  readonly token: string | undefined;
  readonly type: string | undefined;
  readonly expiresInSeconds: number | undefined;
  readonly error: string | undefined;
  readonly description: string | undefined;
}

export class TokenEndpoint {
  readonly #options: TokenEndpointOptions;
  readonly #url: URL;
  /** `header` as RFC 6749, 2.3.1 demands of servers; some of them want `body` all the same. */
  #secretIn: 'header' | 'body' = 'header';

  constructor(options: TokenEndpointOptions) {
    this.#options = options;
    this.#url = new URL(options.url);
  }

  /** Rejects with ClusterError TOKEN. */
  async token(): Promise<Token> {
    const answer = await this.#ask(this.#secretIn);
    if (!isInvalidClient(answer)) return this.#tokenIn(answer);
    const other = this.#secretIn === 'header' ? 'body' : 'header';
    const second = await this.#ask(other);
    if (isInvalidClient(second)) return this.#tokenIn(answer);
    this.#secretIn = other;
    return this.#tokenIn(second);
  }

  async #ask(secretIn: 'header' | 'body'): Promise<Answer> {
    const { clientId, clientSecret: secret, scope, audience, timeoutMs = TIMEOUT_MS } = this.#options;
    const form = new URLSearchParams({
      grant_type: 'client_credentials',
      ...(scope !== null && { scope }),
      ...(audience !== null && { audience }),
      ...(secretIn === 'body' && { client_id: clientId, client_secret: secret }),
    });
    const login = Buffer.from(`${formEncoded(clientId)}:${formEncoded(secret)}`).toString('base64');
    const headers = {
      'Content-Type': 'application/x-www-form-urlencoded',
      Accept: 'application/json',
      ...(secretIn === 'header' && { Authorization: `Basic ${login}` }),
    };
    try {
      return await this.#post(form.toString(), { headers, signal: AbortSignal.timeout(timeoutMs) });
    } catch (error) {
      throw this.#failure(endpointAdvice(error, { host: this.#url.hostname, timeoutMs }), error);
    }
  }

  async #post(
    body: string,
    { headers, signal }: { headers: Readonly<Record<string, string>>; signal: AbortSignal },
  ): Promise<Answer> {
    const isTls = this.#url.protocol === 'https:';
    const ca = isTls ? await this.#authorities() : undefined;
    return await new Promise((resolve, reject) => {
      const options = { method: 'POST', headers, signal, agent: false, ...(ca !== undefined && { ca }) };
      const request = (isTls ? requestHttps : requestHttp)(this.#url, options, (response) => {
        answerOf(response).then(resolve, reject);
      });
      // A stop of the gateway does not wait for a token.
      request.on('socket', (socket) => socket.unref());
      request.on('error', reject);
      request.end(body);
    });
  }

  async #authorities(): Promise<Buffer | undefined> {
    const { ca } = this.#options;
    if (ca === null) return undefined;
    const pem = await content(ca, MAX_FILE_BYTES);
    ofSetting('KAFKA_OAUTH_CA', () => certificatesIn(pem));
    return pem;
  }

  #tokenIn(answer: Answer): Token {
    const fields = fieldsOf(answer.body);
    const refusal = refusalOf(answer, fields, this.#options.clientSecret);
    if (refusal !== undefined) throw this.#failure(refusal);
    const { token: value, type, expiresInSeconds } = fields;
    if (value === undefined) throw this.#failure('its answer has no access_token');
    if (!BEARER_TOKEN.test(value) || (type !== undefined && type.toLowerCase() !== 'bearer'))
      throw this.#failure('its answer has no bearer token, the only kind that Kafka takes');
    const lifetimeMs =
      expiresInSeconds === undefined ? (lifetimeIn(value) ?? ASSUMED_LIFETIME_MS) : expiresInSeconds * 1000;
    if (lifetimeMs <= 0)
      throw this.#failure(
        'its token had expired when it came: compare the clocks, and the lifetime of tokens',
      );
    return { value, lifetimeMs };
  }

  #failure(why: string, cause?: unknown): ClusterError {
    // Without the query, which may hold more than an address.
    const { origin, pathname } = this.#url;
    return new ClusterError(
      'TOKEN',
      `no token for the login to Kafka: KAFKA_OAUTH_TOKEN_URL=${origin}${pathname} ${why}`,
      { cause },
    );
  }
}

async function answerOf(response: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) {
      response.destroy();
      throw new RangeError(`the answer has more than ${MAX_ANSWER_BYTES} bytes`);
    }
    chunks.push(chunk);
  }
  const body = Buffer.concat(chunks).toString();
  return { status: response.statusCode ?? 0, location: response.headers.location, body };
}

/** The reason that the server gives for refusing a token, in words; undefined if its status is a success. */
function refusalOf({ status, location }: Answer, fields: Fields, secret: string): string | undefined {
  const { error, description } = fields;
  if (status >= 200 && status < 300) return undefined;
  if (status >= 300 && status < 400) {
    const target = location !== undefined && URL.canParse(location) ? ` to ${new URL(location).origin}` : '';
    return `answers with a redirect${target} (${status}), which is not followed: name the last address`;
  }
  const words = [error, description].filter((text) => text !== undefined).join(': ');
  // It may repeat the request.
  const shown = hideSecret(printable(words).slice(0, MAX_SHOWN), secret);
  const answer = shown === '' ? `${status}` : `${status} ${shown}`;
  if (error === 'invalid_scope') return `refuses the scope (${answer}): check KAFKA_OAUTH_SCOPE`;
  if (status >= 500 || status === 429) return `gives none now (${answer})`;
  if (status === 404) return `does not exist (${answer}): check the path`;
  return `refuses the client (${answer}): check KAFKA_OAUTH_CLIENT_ID, KAFKA_OAUTH_CLIENT_SECRET and the rights of the client`;
}

/** RFC 6749, 5.2: the way in which the secret came may be the reason. */
const isInvalidClient = ({ status, body }: Answer) =>
  status === 401 || (status === 400 && fieldsOf(body).error === 'invalid_client');

function fieldsOf(body: string): Fields {
  let json: Readonly<Record<string, unknown>> = {};
  try {
    json = Object(JSON.parse(body)) as typeof json;
  } catch {
    // An error page, or an answer that was cut off.
  }
  const text = (name: string) => (typeof json[name] === 'string' ? json[name] : undefined);
  // Some servers send the number as text.
  const seconds = Number(json.expires_in ?? Number.NaN);
  return {
    token: text('access_token'),
    type: text('token_type'),
    expiresInSeconds: Number.isFinite(seconds) ? seconds : undefined,
    error: text('error'),
    description: text('error_description'),
  };
}

/** Milliseconds from `iat` to `exp` of a JWT (RFC 7519), which no clock of ours can falsify. Undefined for other tokens. */
function lifetimeIn(token: string): number | undefined {
  try {
    const [, claims = ''] = token.split('.');
    const { iat, exp } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as Record<string, unknown>;
    return typeof iat === 'number' && typeof exp === 'number' ? (exp - iat) * 1000 : undefined;
  } catch {
    return undefined;
  }
}

/** As URLSearchParams encodes values: RFC 6749, 2.3.1 wants id and secret so in the header. */
const formEncoded = (text: string) => new URLSearchParams({ '': text }).toString().slice(1);
