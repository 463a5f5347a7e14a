// What a failed handshake is explained with. The errors are those of real handshakes.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { type ConnectionOptions, connect, createServer, type TlsOptions } from 'node:tls';
import { tlsAdvice } from '../../../src/kafka/client/tls-advice.ts';
import { Authority, pemOf } from '../../support/authority.ts';
import { temporaryDirectory } from '../../support/directory.ts';

/** The advice on the error that a client of this server gets; undefined without an error. */
async function adviceAfter(
  t: TestContext,
  server: TlsOptions,
  client: ConnectionOptions,
): Promise<string | undefined> {
  const listener = createServer(server, (socket) => socket.on('error', () => {}).end('hello'));
  listener.on('tlsClientError', () => {});
  t.after(() => listener.close());
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const { port } = listener.address() as AddressInfo;
  return await new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', ...client });
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(tlsAdvice(error.code) ?? error.code));
    socket.on('data', () => resolve(undefined));
  });
}

test('a failed handshake is explained by the setting to look at', async (t) => {
  const directory = temporaryDirectory(t);
  const [own, other] = [new Authority(directory, 'own'), new Authority(directory, 'other')];
  const server = pemOf(own.sign('broker'));
  const [trust, distrust] = [own.ca, other.ca].map((path) => ({ ca: readFileSync(path) }));
  const wants = { ...server, ...trust, requestCert: true, rejectUnauthorized: true };
  const refused =
    /refuses the certificate of the gateway, or wants one and got none: check KAFKA_SSL_CERT and KAFKA_SSL_KEY/;
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const advice = (given: TlsOptions, client: ConnectionOptions) =>
      adviceAfter(t, { maxVersion, ...given }, client);
    assert.equal(await advice(server, { ...trust }), undefined);
    assert.equal(await advice(wants, { ...trust, ...pemOf(own.sign('gateway')) }), undefined);
    assert.match(
      (await advice(server, { ...distrust })) ?? '',
      /authority that is not trusted: set KAFKA_SSL_CA/,
    );
    assert.match(
      (await advice(server, { ...trust, host: 'localhost', servername: 'kafka' })) ?? '',
      /not for this address/,
    );
    assert.match(
      (await advice(wants, { ...trust })) ?? '',
      maxVersion === 'TLSv1.2' ? /it may want a certificate/ : refused,
    );
  }
});

test('the alert of Kafka 2.8, which OpenSSL cannot read, is explained, too', () => {
  const advice = tlsAdvice('ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC') ?? '';
  assert.match(
    advice,
    /refuses the certificate of the gateway, or wants one and got none: check KAFKA_SSL_CERT/,
  );
});

test('other errors are left as they are', () => {
  for (const code of ['ECONNRESET', 'ERR_SSL_WRONG_VERSION_NUMBER', undefined, 8])
    assert.equal(tlsAdvice(code), undefined);
});
