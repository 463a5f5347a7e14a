// The exchange of SASL/OAUTHBEARER (RFC 7628) for kafkajs. kafkajs has one of its own, which takes a refused token for
// accepted: the broker answers it without an error code and with a JSON text, and closes at the next request.

export interface BearerLogin {
  readonly mechanism: 'oauthbearer';
  /** kafkajs calls it for each connection. */
  readonly authenticationProvider: (connection: SaslExchange) => { authenticate(): Promise<void> };
}

/** The part of kafkajs's parameter that is used here. */
interface SaslExchange {
  saslAuthenticate(message: {
    /** The bytes after their size, four bytes. */
    readonly request: { encode(): Promise<Buffer> };
    readonly response: { decode(sized: Buffer): Promise<Buffer>; parse(answer: Buffer): Promise<Buffer> };
  }): Promise<Buffer>;
}

/** A broker has refused the token. The message has its reason and not the token. */
export class TokenRefusedError extends Error {
  readonly code = 'TOKEN_REFUSED';
}

const SEPARATOR = '\x01';
/** The answer that the protocol demands to a refusal. The broker ends the login with it. */
const UNDERSTOOD = SEPARATOR;
const MAX_SHOWN = 200;

/** @param extensions names and values that go with the token */
export function bearerLogin(token: string, extensions: Readonly<Record<string, string>>): BearerLogin {
  const pairs = { auth: `Bearer ${token}`, ...extensions };
  const fields = Object.entries(pairs).map(([name, value]) => `${name}=${value}${SEPARATOR}`);
  const message = `n,,${SEPARATOR}${fields.join('')}${SEPARATOR}`;
  return {
    mechanism: 'oauthbearer',
    authenticationProvider: (exchange) => ({
      authenticate: async () => {
        const refusal = await send(exchange, message);
        if (refusal.length === 0) return;
        await send(exchange, UNDERSTOOD).catch(() => undefined);
        throw new TokenRefusedError(reasonIn(refusal));
      },
    }),
  };
}

function send(exchange: SaslExchange, text: string): Promise<Buffer> {
  return exchange.saslAuthenticate({
    request: { encode: async () => sized(Buffer.from(text)) },
    response: { decode: async (answer) => answer.subarray(4), parse: async (answer) => answer },
  });
}

function sized(bytes: Buffer): Buffer {
  const size = Buffer.alloc(4);
  size.writeInt32BE(bytes.length);
  return Buffer.concat([size, bytes]);
}

/** RFC 7628, 3.2.2: an object with `status`, and perhaps `scope`. */
function reasonIn(refusal: Buffer): string {
  const text = refusal.toString();
  try {
    const { status, scope } = Object(JSON.parse(text)) as Readonly<Record<string, unknown>>;
    if (typeof status === 'string')
      return typeof scope === 'string' ? `${status}, it wants the scope ${scope}` : status;
  } catch {
    // Shown as it is.
  }
  return text.slice(0, MAX_SHOWN);
}
