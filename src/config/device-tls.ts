// The certificate of the TLS port and the authorities that it trusts, made from the files of TCP_TLS_CERT, TCP_TLS_KEY,
// TCP_TLS_CA and TCP_TLS_CRL. The check of the settings and the port use the same code, so a start with files that do not
// work is refused.
import { constants, createHash } from 'node:crypto';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { FileError } from './file-content.ts';
import {
  certificatesIn,
  firstToExpire,
  ofSetting,
  privateKeyIn,
  revocationListsIn,
  type Validity,
} from './pem.ts';
import type { Settings } from './settings.ts';

const DEVICE_TLS_FILES = ['TCP_TLS_CERT', 'TCP_TLS_KEY', 'TCP_TLS_CA', 'TCP_TLS_CRL'] as const;

const PREFERRED_CIPHER = 'TLS_AES_128_GCM_SHA256';

export type DeviceTlsFile = (typeof DEVICE_TLS_FILES)[number];

export interface DeviceTls {
  readonly context: SecureContextOptions;
  /** Of certificate, CA and CRL. */
  readonly digest: Buffer;
  /** Of the certificate that expires first in each file. */
  readonly validity: Readonly<Partial<Record<'cert' | 'ca', Validity>>>;
}

/** The settings that name a file, with their paths. */
export function deviceTlsFiles(
  settings: Pick<Settings, DeviceTlsFile>,
): { name: DeviceTlsFile; path: string }[] {
  return DEVICE_TLS_FILES.flatMap((name) => {
    const path = settings[name];
    return path === null ? [] : [{ name, path }];
  });
}

/**
 * @param contents by the setting that names the file; certificate and key have to be there
 * @throws FileError that names the setting
 */
export function deviceTls(contents: ReadonlyMap<DeviceTlsFile, Buffer>): DeviceTls {
  const [cert, key, ca, crl] = DEVICE_TLS_FILES.map((name) => contents.get(name));
  if (cert === undefined || key === undefined)
    throw new FileError('TCP_TLS_CERT and TCP_TLS_KEY are both needed');
  const chain = ofSetting('TCP_TLS_CERT', () => certificatesIn(cert));
  const privateKey = ofSetting('TCP_TLS_KEY', () => privateKeyIn(key));
  if (!chain[0].checkPrivateKey(privateKey))
    throw new FileError('TCP_TLS_KEY: this is not the private key of the first certificate in TCP_TLS_CERT');
  const authorities = ca && ofSetting('TCP_TLS_CA', () => certificatesIn(ca));
  const lists = crl && ofSetting('TCP_TLS_CRL', () => revocationListsIn(crl));
  const context = {
    cert,
    key,
    minVersion: 'TLSv1.2',
    maxVersion: 'TLSv1.3',
    ciphers: ciphers(),
    ...(ca !== undefined && { ca }),
  } as const;
  tried('TCP_TLS_CERT or TCP_TLS_CA', context);
  const withCrl = { ...context, ...(lists && { crl: lists }) };
  if (lists !== undefined) tried('TCP_TLS_CRL', withCrl);
  return {
    context: withCrl,
    digest: digestOf([cert, ca, crl]),
    validity: { cert: firstToExpire(chain), ...(authorities && { ca: firstToExpire(authorities) }) },
  };
}

/**
 * Node's ciphers, with AES-128 before AES-256 in TLS 1.3, as in TLS 1.2: a handshake computes its keys with SHA-256 then,
 * which costs small devices and the gateway less than SHA-384 (docs/decisions/0083).
 */
function ciphers(): string {
  // An import of the constant would load TLS in every process.
  const ciphers = process.getBuiltinModule('node:tls').DEFAULT_CIPHERS;
  // Whoever starts Node with a list of their own has a reason for its order.
  if (ciphers !== constants.defaultCoreCipherList) return ciphers;
  return [PREFERRED_CIPHER, ...ciphers.split(':').filter((cipher) => cipher !== PREFERRED_CIPHER)].join(':');
}

function tried(setting: string, context: SecureContextOptions): void {
  try {
    createSecureContext(context);
  } catch (error) {
    // The reason is OpenSSL's or Node's, such as `ee key too small`, and holds nothing of the file.
    const { message, reason } = error as { message: string; reason?: unknown };
    throw new FileError(`${setting}: TLS refuses the file: ${typeof reason === 'string' ? reason : message}`);
  }
}

function digestOf(contents: readonly (Buffer | undefined)[]): Buffer {
  const hash = createHash('sha256');
  for (const bytes of contents) hash.update(`${bytes?.length ?? ''}:`).update(bytes ?? '');
  return hash.digest();
}
