// Checks the contents of PEM files: certificates, revocation lists, private keys, and whether they belong together. Error
// texts never hold a part of the content.
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { FileError } from './file-content.ts';

const CERTIFICATE = { label: '(?:TRUSTED |X509 )?CERTIFICATE', name: 'certificate' };
const REVOCATION_LIST = { label: 'X509 CRL', name: 'revocation list' };

export interface Validity {
  /** Milliseconds of the epoch. */
  readonly untilMs: number;
  readonly lifetimeMs: number;
}

/** At least one. @throws FileError */
export function certificatesIn(content: Buffer): [X509Certificate, ...X509Certificate[]] {
  const blocks = blocksIn(content, CERTIFICATE);
  const all = blocks.map((block, index) => {
    try {
      return new X509Certificate(block);
    } catch {
      throw new FileError(`certificate ${index + 1} of ${blocks.length} in the file is damaged`);
    }
  });
  return all as [X509Certificate, ...X509Certificate[]];
}

/** Each list alone: of several in one text, Node reads the first only. @throws FileError */
export function revocationListsIn(content: Buffer): string[] {
  return blocksIn(content, REVOCATION_LIST);
}

/** At least one. OpenSSL would read a file that is cut off as far as it goes. @throws FileError */
function blocksIn(content: Buffer, { label, name }: { label: string; name: string }): string[] {
  const text = content.toString('latin1');
  const all = (pattern: string): string[] => text.match(new RegExp(pattern, 'g')) ?? [];
  const begun = all(`-----BEGIN ${label}-----`).length;
  const whole = all(`-----BEGIN ${label}-----[^-]*-----END ${label}-----`);
  if (begun === 0) throw new FileError(`the file has no ${name} in PEM format`);
  if (whole.length < begun) throw new FileError(`a ${name} in the file is not whole`);
  return whole;
}

/** @throws FileError */
export function privateKeyIn(content: Buffer): KeyObject {
  try {
    return createPrivateKey(content);
  } catch {
    throw new FileError(
      content.includes('ENCRYPTED')
        ? 'the private key is encrypted with a passphrase: decrypt it (openssl pkey), and protect the file by its mode'
        : 'the file has no private key in PEM format, or it is damaged',
    );
  }
}

/** @throws FileError of `check`, with the name of the setting before its message */
export function ofSetting<T>(name: string, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (error instanceof FileError) throw new FileError(`${name}: ${error.reason}`);
    throw error;
  }
}

/** Of several certificates the one that ends first. */
export function firstToExpire(all: readonly X509Certificate[]): Validity {
  const each = all.map(({ validFrom, validTo }) => {
    const untilMs = Date.parse(validTo);
    return { untilMs, lifetimeMs: untilMs - Date.parse(validFrom) };
  });
  return each.reduce((first, one) => (one.untilMs < first.untilMs ? one : first));
}
