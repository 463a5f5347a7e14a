// An authorization server for tests: gives tokens to one client (grant client_credentials), signed with a key that a
// broker reads from a file. It remembers the requests, and fails when the test says so.
import { generateKeyPairSync, sign } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { TokenChecks } from '../../scripts/kafka/config.ts';
import type { Identity } from './authority.ts';
import type { Env } from './gateway.ts';

const KEY_ID = 'test';
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });

/** One request, with its form. */
export interface TokenRequest {
  readonly form: URLSearchParams;
  readonly authorization: string | undefined;
}

/** An answer in place of a token. */
export interface Failure {
  readonly status: number;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export class TokenServer {
  readonly client = { id: 'sluice', secret: 'Vb8-client+secret=' };
  /** Where the client has to put its secret. */
  secretIn: 'header' | 'body' = 'header';
  lifetimeSeconds = 3600;
  audience = 'kafka';
  failure: Failure | undefined;
  /** Fields of the answer that replace its own. */
  answer: Readonly<Record<string, unknown>> = {};
  /** Never answers. */
  isSilent = false;
  readonly requests: TokenRequest[] = [];
  readonly tokens: string[] = [];
  readonly issuer = 'https://tokens.test';
  readonly #server: Server;
  readonly #scheme: 'http' | 'https';
  #port = 0;

  private constructor(identity: Identity | undefined) {
    const answer = (request: IncomingMessage, response: ServerResponse) =>
      void this.#answer(request, response);
    this.#scheme = identity === undefined ? 'http' : 'https';
    this.#server =
      identity === undefined
        ? createServer(answer)
        : createTlsServer({ cert: readFileSync(identity.cert), key: readFileSync(identity.key) }, answer);
  }

  /** It listens until the test ends. @param identity for https */
  static async start(t: TestContext, identity?: Identity): Promise<TokenServer> {
    const server = new TokenServer(identity);
    await server.listen();
    t.after(() => server.close());
    return server;
  }

  get url(): string {
    return `${this.#scheme}://127.0.0.1:${this.#port}/oauth2/token`;
  }

  /** The settings of a gateway that logs in with its tokens. */
  get env(): Env {
    return {
      KAFKA_SASL_MECHANISM: 'oauthbearer',
      KAFKA_OAUTH_TOKEN_URL: this.url,
      KAFKA_OAUTH_CLIENT_ID: this.client.id,
      KAFKA_OAUTH_CLIENT_SECRET: this.client.secret,
    };
  }

  /** Makes the file with its key. All servers of a process have the same key. */
  checks(directory: string): TokenChecks {
    const jwksFile = join(directory, 'keys.json');
    const key = { ...publicKey.export({ format: 'jwk' }), kid: KEY_ID, use: 'sig', alg: 'ES256' };
    writeFileSync(jwksFile, JSON.stringify({ keys: [key] }));
    return { jwksFile, issuer: this.issuer, audience: 'kafka' };
  }

  /** The port stays the same. */
  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#port, '127.0.0.1', () => {
        this.#port = (this.#server.address() as AddressInfo).port;
        resolve();
      });
    });
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const form = new URLSearchParams(Buffer.concat(chunks).toString());
    this.requests.push({ form, authorization: request.headers.authorization });
    if (this.isSilent) return;
    const { status, body, headers } = this.failure ?? this.#granted(form, request.headers.authorization);
    response.writeHead(status, { 'Content-Type': 'application/json', ...headers });
    response.end(body);
  }

  #granted(form: URLSearchParams, authorization: string | undefined): Failure {
    const { id, secret } = this.client;
    const login = new URLSearchParams([[id, secret]]).toString().replace('=', ':');
    const isRight =
      this.secretIn === 'header'
        ? authorization === `Basic ${Buffer.from(login).toString('base64')}`
        : form.get('client_id') === id && form.get('client_secret') === secret;
    if (!isRight || form.get('grant_type') !== 'client_credentials')
      return { status: 401, body: JSON.stringify({ error: 'invalid_client' }) };
    const token = this.token();
    this.tokens.push(token);
    const granted = { access_token: token, token_type: 'Bearer', expires_in: this.lifetimeSeconds };
    return { status: 200, body: JSON.stringify({ ...granted, ...this.answer }) };
  }

  /** A JWT (RFC 7519) as it would hand it out now. */
  token(): string {
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: this.issuer, aud: this.audience, sub: this.client.id };
    const times = { iat: now, exp: now + this.lifetimeSeconds, jti: `${this.tokens.length}` };
    const head = encoded({ alg: 'ES256', typ: 'JWT', kid: KEY_ID });
    const signed = `${head}.${encoded({ ...claims, ...times })}`;
    const signature = sign('sha256', Buffer.from(signed), { key: privateKey, dsaEncoding: 'ieee-p1363' });
    return `${signed}.${signature.toString('base64url')}`;
  }
}

const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
