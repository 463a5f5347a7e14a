// The TLS side of the connections to Kafka, made from the files of KAFKA_SSL_CA, KAFKA_SSL_CERT and KAFKA_SSL_KEY. The
// check of the settings and the connections use the same code, so a start with files that do not work is refused.
import { createSecureContext, type SecureContext } from 'node:tls';
import { contentSync, FileError, MAX_FILE_BYTES } from './file-content.ts';
import { certificatesIn, firstToExpire, ofSetting, privateKeyIn, type Validity } from './pem.ts';
import type { Settings } from './settings.ts';

const KAFKA_TLS_FILES = ['KAFKA_SSL_CA', 'KAFKA_SSL_CERT', 'KAFKA_SSL_KEY'] as const;

type KafkaTlsFile = (typeof KAFKA_TLS_FILES)[number];

/** The settings that name a file, with their paths. */
export function kafkaTlsFiles(
  settings: Pick<Settings, KafkaTlsFile>,
): { name: KafkaTlsFile; path: string }[] {
  return KAFKA_TLS_FILES.flatMap((name) => {
    const path = settings[name];
    return path === null ? [] : [{ name, path }];
  });
}

/**
 * @param contents by the setting that names the file; without a CA, Node's own list counts
 * @throws FileError that names the setting
 */
export function kafkaTlsContext(contents: ReadonlyMap<KafkaTlsFile, Buffer>): SecureContext {
  const [ca, cert, key] = KAFKA_TLS_FILES.map((name) => contents.get(name));
  if (ca !== undefined) ofSetting('KAFKA_SSL_CA', () => certificatesIn(ca));
  if (cert !== undefined && key !== undefined) {
    const [own] = ofSetting('KAFKA_SSL_CERT', () => certificatesIn(cert));
    const privateKey = ofSetting('KAFKA_SSL_KEY', () => privateKeyIn(key));
    if (!own.checkPrivateKey(privateKey))
      throw new FileError('KAFKA_SSL_KEY: this is not the private key of the certificate in KAFKA_SSL_CERT');
  }
  try {
    return createSecureContext({
      ...(ca !== undefined && { ca }),
      ...(cert !== undefined && { cert }),
      ...(key !== undefined && { key }),
    });
  } catch (error) {
    // OpenSSL names the reason, such as a key that is too short.
    throw new FileError(`TLS refuses ${[...contents.keys()].join(', ')}: ${(error as Error).message}`);
  }
}

/** By setting: until when the certificates of its file are valid. Files that cannot be read now are left out. */
export function kafkaValidity(settings: Pick<Settings, KafkaTlsFile>): [setting: string, Validity][] {
  return kafkaTlsFiles(settings)
    .filter(({ name }) => name !== 'KAFKA_SSL_KEY')
    .flatMap(({ name, path }) => {
      try {
        return [[name, firstToExpire(certificatesIn(contentSync(path, MAX_FILE_BYTES)))]];
      } catch {
        return [];
      }
    });
}
