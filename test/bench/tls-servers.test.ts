// The servers beside the gateway in the scenario tls, and the clients that count handshakes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TlsClientCalls } from '../../bench/devices/tls-clients.ts';
import { Haproxy } from '../../bench/servers/haproxy.ts';
import type { SinkCalls } from '../../bench/servers/sink-process.ts';
import { Child } from '../../load/processes/child.ts';
import { withCertificate } from '../../scripts/lib/certificate.ts';
import { cpuSecondsOf } from '../../scripts/lib/proc.ts';

const CLIENTS = new URL('../../bench/devices/tls-clients.js', import.meta.url);
const SINK = new URL('../../bench/servers/sink-process.js', import.meta.url);

test('clients do full handshakes with a bare server and with HAProxy', { timeout: 30_000 }, async (t) => {
  const children = [new Child<SinkCalls>(SINK), new Child<SinkCalls>(SINK)] as const;
  const clients = new Child<TlsClientCalls>(CLIENTS);
  t.after(() => Promise.all([...children, clients].map((child) => child.stop())));
  const [bare, plain] = children;
  await withCertificate(async (certificate) => {
    const port = await bare.call('listen', certificate);
    const haproxy = await Haproxy.start({ certificate, target: await plain.call('listen', null) });
    if (haproxy === undefined) {
      assert.notEqual(process.env.SLUICE_REQUIRE_TOOLS, '1', 'haproxy is not installed');
      t.diagnostic('NOT RUN for HAProxy: it is not installed');
    }
    t.after(() => haproxy?.stop());
    const servers = [{ port, pid: bare.pid }, ...(haproxy === undefined ? [] : [haproxy])];
    const { cert: ca } = certificate;
    for (const { port, pid } of servers) {
      const before = cpuSecondsOf(pid);
      for (const version of ['TLSv1.3', 'TLSv1.2'] as const)
        assert.ok((await clients.call('handshakes', { port, ca, version, seconds: 0.1 })) > 0);
      assert.ok(cpuSecondsOf(pid) > before);
      await clients.call('keep', { port, ca, version: 'TLSv1.3', count: 50 });
    }
    // The plain server is no TLS server, so nothing there may count as a handshake.
    const wrong = { port: await plain.call('listen', null), ca, version: 'TLSv1.3', seconds: 0.1 } as const;
    setTimeout(() => void plain.stop(), 300);
    await assert.rejects(clients.call('handshakes', wrong));
  });
});
