// Makes a certificate for a server on this machine with openssl. It is for tests and measurements only.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

export interface Certificate {
  /** For further files that may go with it. */
  readonly directory: string;
  /** Both as PEM. */
  readonly cert: string;
  readonly key: string;
  readonly certFile: string;
  readonly keyFile: string;
}

const DAYS = 100;

/** P-256, for 127.0.0.1 and localhost, signed by itself. Rejects if openssl is missing. */
export async function makeCertificate(directory: string): Promise<Certificate> {
  const [certFile, keyFile] = [join(directory, 'cert.pem'), join(directory, 'key.pem')];
  await promisify(execFile)('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc'],
    ...['-keyout', keyFile, '-out', certFile, '-days', String(DAYS)],
    ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'],
  ]);
  const [cert, key] = await Promise.all([readFile(certFile, 'utf8'), readFile(keyFile, 'utf8')]);
  return { directory, cert, key, certFile, keyFile };
}

/** Runs `work` with a certificate whose files are removed afterwards. */
export async function withCertificate<T>(work: (certificate: Certificate) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-certificate-'));
  try {
    return await work(await makeCertificate(directory));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Settings of a gateway with a TLS port beside the plain one. */
export const tlsSettings = ({ certFile, keyFile }: Certificate): Record<string, string> => ({
  TCP_TLS_PORT: '0',
  TCP_TLS_CERT: certFile,
  TCP_TLS_KEY: keyFile,
});
