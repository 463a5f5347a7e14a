// The settings of the TLS port: none of them may promise a protection that the gateway does not give.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Authority, type Identity } from '../support/authority.ts';
import { accepted, type Env, problems } from './loading.ts';

describe('the settings of the TLS port', () => {
  let directory: string;
  let authority: Authority;
  let own: Identity;
  let env: Env;

  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'sluice-tls-'));
    authority = new Authority(directory, 'authority');
    own = authority.sign('gateway');
    env = { TCP_TLS_PORT: '8883', TCP_TLS_CERT: own.cert, TCP_TLS_KEY: own.key };
  });

  after(() => rmSync(directory, { recursive: true }));

  const refused = (change: Env, ...expected: RegExp[]) => {
    const found = problems({ ...env, ...change });
    assert.equal(found.length, expected.length, found.join('\n'));
    for (const [index, problem] of expected.entries()) assert.match(found[index] ?? '', problem);
    assert.doesNotMatch(found.join(), /BEGIN|MII|geheim/);
  };

  const file = (name: string, content: string): string => {
    const path = join(directory, name);
    writeFileSync(path, content);
    return path;
  };

  it('work with everything, and without the plain port', () => {
    const all = {
      TCP_TLS_CA: authority.ca,
      TCP_TLS_CRL: authority.revocationList(),
      TCP_TLS_DEVICE_ID: 'CN',
    };
    const { settings, warnings } = accepted({ ...env, ...all, TCP_PORT: '' });
    assert.deepEqual([settings.TCP_PORT, settings.TCP_TLS_PORT, warnings], [null, 8883, []]);
  });

  it('warn if the plain port lets devices in that need neither certificate nor token', () => {
    const open = accepted({ ...env, TCP_TLS_CA: authority.ca, TCP_TLS_DEVICE_ID: 'CN' });
    assert.match(open.warnings.join(), /^TCP_TLS_CA asks for certificates on TCP_TLS_PORT only/);
    const tokens = { TCP_TOKENS_FILE: file('tokens', '') };
    assert.doesNotMatch(
      accepted({ ...env, TCP_TLS_CA: authority.ca, ...tokens }).warnings.join(),
      /asks for/,
    );
    assert.deepEqual(accepted(env).warnings, []);
  });

  it('need each other', () => {
    refused({ TCP_TLS_CERT: '' }, /^TCP_TLS_CERT is not set, but TCP_TLS_PORT needs it/);
    refused({ TCP_TLS_KEY: '' }, /^TCP_TLS_KEY is not set, but TCP_TLS_PORT needs it/);
    refused(
      { TCP_TLS_PORT: '' },
      /^TCP_TLS_PORT is not set, but TCP_TLS_CERT needs it/,
      /^TCP_TLS_PORT is not set, but TCP_TLS_KEY needs it/,
    );
    const alone = (name: string, value: string) =>
      assert.match(
        problems({ [name]: value }).join(),
        new RegExp(`TCP_TLS_PORT is not set, but ${name} needs`),
      );
    alone('TCP_TLS_CA', authority.ca);
    alone('TCP_TLS_CRL', authority.revocationList());
    alone('TCP_TLS_DEVICE_ID', 'CN');
    refused({ TCP_TLS_CRL: authority.revocationList() }, /^TCP_TLS_CA is not set, but TCP_TLS_CRL needs it/);
    refused({ TCP_TLS_DEVICE_ID: 'UID' }, /^TCP_TLS_CA is not set, but TCP_TLS_DEVICE_ID needs it/);
  });

  it('leave one port for devices, and no two listeners on one', () => {
    assert.match(problems({ TCP_PORT: '' })[0] ?? '', /all empty, so no device could connect/);
    refused({ TCP_PORT: '8883' }, /^TCP_TLS_PORT=8883 is TCP_PORT too/);
    refused({ HTTP_PORT: '8883' }, /^HTTP_PORT=8883 is TCP_TLS_PORT too/);
    accepted({ ...env, TCP_PORT: '0', TCP_TLS_PORT: '0', HTTP_PORT: '0' });
  });

  it('name files that work, or the reason is given without their content', () => {
    const text = file('text.pem', 'geheim');
    const encrypted = join(directory, 'encrypted.key');
    execFileSync('openssl', [
      'pkey',
      '-in',
      own.key,
      '-aes256',
      '-passout',
      'pass:geheim',
      '-out',
      encrypted,
    ]);
    const damaged = file('damaged.pem', readFileSync(own.cert, 'utf8').replace(/^M.{20}/m, 'M'));
    refused({ TCP_TLS_CERT: '/no/such.pem' }, /^TCP_TLS_CERT="\/no\/such.pem": there is no such file/);
    refused({ TCP_TLS_CERT: text }, /^TCP_TLS_CERT: the file has no certificate in PEM format/);
    refused({ TCP_TLS_CERT: damaged }, /^TCP_TLS_CERT: certificate 1 of 1 in the file is damaged/);
    refused({ TCP_TLS_KEY: text }, /^TCP_TLS_KEY: the file has no private key/);
    refused({ TCP_TLS_KEY: encrypted }, /^TCP_TLS_KEY: the private key is encrypted with a passphrase/);
    refused({ TCP_TLS_KEY: authority.sign('other').key }, /^TCP_TLS_KEY: this is not the private key of/);
    refused({ TCP_TLS_CA: text }, /^TCP_TLS_CA: the file has no certificate/);
    const list = readFileSync(authority.revocationList(), 'utf8');
    for (const crl of [text, own.cert])
      refused(
        { TCP_TLS_CA: authority.ca, TCP_TLS_CRL: crl },
        /^TCP_TLS_CRL: the file has no revocation list/,
      );
    const noList = file('no-list.pem', list.replace(/^M.{20}/m, 'M'));
    refused({ TCP_TLS_CA: authority.ca, TCP_TLS_CRL: noList }, /^TCP_TLS_CRL: TLS refuses the file/);
  });

  it('name files that are whole: the last block may be cut off', () => {
    const cut = (name: string, whole: string) => {
      const text = readFileSync(whole, 'utf8');
      return file(name, text + text.slice(0, text.length / 2));
    };
    const list = authority.revocationList();
    refused(
      { TCP_TLS_CERT: cut('cert.cut', own.cert) },
      /^TCP_TLS_CERT: a certificate in the file is not whole/,
    );
    refused(
      { TCP_TLS_CA: cut('ca.cut', authority.ca) },
      /^TCP_TLS_CA: a certificate in the file is not whole/,
    );
    refused(
      { TCP_TLS_CA: authority.ca, TCP_TLS_CRL: cut('crl.cut', list) },
      /^TCP_TLS_CRL: a revocation list in the file is not whole/,
    );
  });
});
