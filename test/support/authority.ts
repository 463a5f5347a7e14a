// Certificates for tests, made by openssl while the test runs: an authority, and the ones it signs.
import { execFileSync } from 'node:child_process';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Identity {
  /** The paths of PEM files. */
  readonly cert: string;
  readonly key: string;
}

/** PEM text. */
export interface Pem {
  readonly cert: string;
  readonly key: string;
}

export interface SignOptions {
  /** `/CN=<commonName>` if absent. */
  readonly subject?: string;
  /** Ended a while ago. */
  readonly isExpired?: boolean;
  /** Two days if absent. */
  readonly days?: number;
  /** It may sign others. */
  readonly isAuthority?: boolean;
}

/** For `openssl ca`, which can revoke and set dates. */
const CA_CONFIG = (directory: string, name: string) => `[ca]
default_ca = own
[own]
database = ${join(directory, `${name}.index`)}
default_md = sha256
default_crl_days = 2
`;

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

export class Authority {
  readonly #directory: string;
  readonly #name: string;
  readonly #own: Identity;
  #signed = 0;

  /**
   * @param directory for the files
   * @param root signs its certificate. Undefined: it is a root itself
   */
  constructor(directory: string, name: string, root?: Authority) {
    this.#directory = directory;
    this.#name = name;
    this.#own = root === undefined ? this.#paths('ca') : root.sign(name, { isAuthority: true });
    const { cert, key } = this.#own;
    if (root === undefined)
      openssl('req', '-x509', ...NEW_KEY, '-days', '2', '-subj', `/CN=${name}`, '-keyout', key, '-out', cert);
  }

  /** The path of its own certificate. */
  get ca(): string {
    return this.#own.cert;
  }

  /** A certificate for 127.0.0.1 and this subject, as a server or a client. */
  sign(commonName: string, options: SignOptions = {}): Identity {
    const { subject = `/CN=${commonName}`, isExpired = false, days = 2, isAuthority = false } = options;
    const { cert, key } = this.#paths(`${++this.#signed}`);
    const request = `${cert}.csr`;
    const extensions = `${cert}.ext`;
    openssl('req', '-new', ...NEW_KEY, '-subj', subject, '-keyout', key, '-out', request);
    const extension = isAuthority
      ? 'basicConstraints=critical,CA:TRUE'
      : 'subjectAltName=IP:127.0.0.1,DNS:localhost';
    writeFileSync(extensions, `${extension}\n`);
    const by = ['-CA', this.#own.cert, '-CAkey', this.#own.key, '-set_serial', `${this.#signed}`];
    // OpenSSL 3.0 has no other way to a date in the past.
    const time = isExpired ? ['-days', '-1'] : ['-days', `${days}`];
    openssl('x509', '-req', ...by, ...time, '-in', request, '-extfile', extensions, '-out', cert);
    return { cert, key };
  }

  /** The path of a list of the certificates that this authority has revoked. */
  revocationList(...revoked: readonly Identity[]): string {
    const config = join(this.#directory, `${this.#name}.cnf`);
    const list = join(this.#directory, `${this.#name}.crl`);
    writeFileSync(config, CA_CONFIG(this.#directory, this.#name));
    appendFileSync(join(this.#directory, `${this.#name}.index`), '');
    const by = ['-config', config, '-cert', this.#own.cert, '-keyfile', this.#own.key];
    for (const { cert } of revoked) openssl('ca', ...by, '-revoke', cert);
    openssl('ca', ...by, '-gencrl', '-out', list);
    return list;
  }

  #paths(name: string): Identity {
    const path = join(this.#directory, `${this.#name}-${name}`);
    return { cert: `${path}.pem`, key: `${path}.key` };
  }
}

export const pemOf = ({ cert, key }: Identity): Pem => ({
  cert: readFileSync(cert, 'utf8'),
  key: readFileSync(key, 'utf8'),
});

function openssl(...args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
