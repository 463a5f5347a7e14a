// Logins at a simulated broker: PLAIN (RFC 4616) and SCRAM (RFC 5802), with a lifetime (KIP-368). It knows no connection:
// Login is the state of one.
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { CODE } from './error-codes.ts';

const ITERATIONS = 4096;
const DIGESTS = { 'SCRAM-SHA-256': 'sha256', 'SCRAM-SHA-512': 'sha512' } as const;
export const MECHANISMS = ['PLAIN', ...Object.keys(DIGESTS)];

export interface LoginRules {
  /** False: the listener takes requests without a login, and no login. */
  isRequired: boolean;
  /** Passwords by user. A login that was taken outlives its user. */
  users: Map<string, string>;
  /** connections.max.reauth.ms; 0 = without end. */
  lifetimeMs: number;
}

interface LoginAnswer {
  readonly code: number;
  readonly message?: string;
  readonly bytes: Buffer;
}

/** The login of one connection. */
export class Login {
  readonly #rules: LoginRules;
  readonly #random: () => number;
  #mechanism: string | undefined;
  #scram: ScramServer | undefined;
  #isDone = false;
  #endsAtMs = Infinity;

  constructor(rules: LoginRules, random: () => number) {
    this.#rules = rules;
    this.#random = random;
  }

  get mechanism(): string | undefined {
    return this.#mechanism;
  }

  /** False if the connection may send nothing but a login. */
  mayAsk(nowMs: number): boolean {
    return !this.#rules.isRequired || (this.#isDone && nowMs <= this.#endsAtMs);
  }

  handshake(mechanism: string): number {
    if (!this.#rules.isRequired) return CODE.illegalSaslState;
    if (!MECHANISMS.includes(mechanism)) return CODE.unsupportedSaslMechanism;
    this.#mechanism = mechanism;
    this.#scram = undefined;
    return CODE.none;
  }

  /** @throws RangeError if no mechanism was chosen: Kafka closes the connection */
  authenticate(bytes: Buffer, nowMs: number): LoginAnswer {
    const mechanism = this.#mechanism;
    if (mechanism === undefined && this.#rules.isRequired) throw new RangeError('no mechanism');
    if (mechanism === undefined) return { code: CODE.illegalSaslState, bytes: Buffer.alloc(0) };
    const answer = mechanism === 'PLAIN' ? this.#plain(bytes) : this.#nextOfScram(mechanism, bytes);
    if (answer === undefined) {
      this.#isDone = false;
      const message = `Authentication failed during authentication due to invalid credentials with SASL mechanism ${mechanism}`;
      return { code: CODE.saslAuthenticationFailed, message, bytes: Buffer.alloc(0) };
    }
    if (answer.isDone) {
      this.#isDone = true;
      this.#mechanism = undefined;
      this.#endsAtMs = this.#rules.lifetimeMs > 0 ? nowMs + this.#rules.lifetimeMs : Infinity;
    }
    return { code: CODE.none, bytes: answer.bytes };
  }

  get lifetimeMs(): number {
    return this.#isDone ? this.#rules.lifetimeMs : 0;
  }

  #plain(bytes: Buffer): { bytes: Buffer; isDone: boolean } | undefined {
    const [, user = '', password] = bytes.toString().split('\0');
    const isRight = password !== undefined && this.#rules.users.get(user) === password;
    return isRight ? { bytes: Buffer.alloc(0), isDone: true } : undefined;
  }

  #nextOfScram(mechanism: string, bytes: Buffer): { bytes: Buffer; isDone: boolean } | undefined {
    if (this.#scram !== undefined) {
      const final = this.#scram.final(bytes.toString());
      return final === undefined ? undefined : { bytes: Buffer.from(final), isDone: true };
    }
    const digest = DIGESTS[mechanism as keyof typeof DIGESTS];
    this.#scram = new ScramServer(digest, this.#rules.users, this.#random);
    const first = this.#scram.first(bytes.toString());
    return first === undefined ? undefined : { bytes: Buffer.from(first), isDone: false };
  }
}

class ScramServer {
  readonly #digest: string;
  readonly #users: ReadonlyMap<string, string>;
  readonly #random: () => number;
  #password: string | undefined;
  #salt = Buffer.alloc(0);
  #messages = '';

  constructor(digest: string, users: ReadonlyMap<string, string>, random: () => number) {
    this.#digest = digest;
    this.#users = users;
    this.#random = random;
  }

  first(message: string): string | undefined {
    const bare = message.replace(/^[ny],[^,]*,/, '');
    const user = /(?:^|,)n=([^,]*)/.exec(bare)?.[1]?.replaceAll('=2C', ',').replaceAll('=3D', '=');
    const nonce = /(?:^|,)r=([^,]*)/.exec(bare)?.[1];
    this.#password = this.#users.get(user ?? '');
    if (nonce === undefined || this.#password === undefined) return undefined;
    const text = () => Math.floor(this.#random() * 2 ** 48).toString(36);
    this.#salt = Buffer.from(text());
    const answer = `r=${nonce}${text()},s=${this.#salt.toString('base64')},i=${ITERATIONS}`;
    this.#messages = `${bare},${answer}`;
    return answer;
  }

  final(message: string): string | undefined {
    const proof = /,p=([^,]*)$/.exec(message)?.[1] ?? '';
    const auth = `${this.#messages},${message.replace(/,p=[^,]*$/, '')}`;
    const hmac = (key: Buffer, text: string) => createHmac(this.#digest, key).update(text).digest();
    const bytes = createHash(this.#digest).digest().length;
    const salted = pbkdf2Sync(this.#password ?? '', this.#salt, ITERATIONS, bytes, this.#digest);
    const clientKey = hmac(salted, 'Client Key');
    const signature = hmac(createHash(this.#digest).update(clientKey).digest(), auth);
    const expected = clientKey.map((byte, i) => byte ^ (signature[i] ?? 0));
    if (!Buffer.from(expected).equals(Buffer.from(proof, 'base64'))) return undefined;
    return `v=${hmac(hmac(salted, 'Server Key'), auth).toString('base64')}`;
  }
}
