import assert from 'node:assert/strict';
import { withOwnGateway } from '../../../bench/servers/own-gateway.ts';
import { Child } from '../../../load/processes/child.ts';
import { readConstants } from '../../../plan/constants.ts';
import { costsOf } from '../../../plan/storm/model.ts';
import { PROTOCOL } from '../../../plan/storm/rules.ts';
import { simulate } from '../../../plan/storm/simulate.ts';
import { atOnce } from '../../../plan/storm/starts.ts';
import type { FleetCalls } from '../../../plan/validate/fleet-process.ts';
import { PATIENCE_MS } from '../../../plan/validate/setup.ts';
import { DelayProxy } from '../../../scripts/kafka/delay-proxy.ts';
import { tlsSettings, withCertificate } from '../../../scripts/lib/certificate.ts';
import { kafkaTest } from '../../support/kafka.ts';

const FLEET = new URL('../../../plan/validate/fleet-process.js', import.meta.url);
const DEVICES = 400;
const ROUND_TRIP_MS = 300;
const [FEW, MANY] = [32, 512];
/** One process, because the kernel spreads connections unevenly and each process has its share of the handshakes. */
const PROCESSES = 1;

/** Seconds until all devices are back. */
async function measured(bootstrap: string, maxHandshakes: number): Promise<number> {
  return withCertificate((certificate) => {
    const settings = {
      ...tlsSettings(certificate),
      TCP_PROCESSES: String(PROCESSES),
      TCP_TLS_MAX_HANDSHAKES: String(maxHandshakes),
    };
    return withOwnGateway({ bootstrap, name: 'far', settings }, async ({ server }) => {
      const proxy = await DelayProxy.before({ port: server.tlsPort }, ROUND_TRIP_MS);
      const fleet = new Child<FleetCalls>(FLEET);
      try {
        const tls = { ca: certificate.cert, servername: 'localhost' };
        const storm = {
          ...{ port: proxy.port, tls, first: 0, count: DEVICES, seed: 1 },
          ...{ mostUnderWay: DEVICES, timeoutMs: 60_000 },
        };
        const { backMs } = await fleet.call('storm', storm);
        return (backMs.at(-1) ?? 0) / 1000;
      } finally {
        await fleet.stop();
        proxy.close();
      }
    });
  });
}

function simulated(maxHandshakes: number): number {
  const world = {
    ...{ devices: DEVICES, gateways: 1, processes: PROCESSES, cores: 2, background: 0, tls: true, seed: 1 },
    ...{ rttMs: ROUND_TRIP_MS, maxConnections: DEVICES, patienceMs: PATIENCE_MS, synAgainMs: [] },
    ...{ costs: costsOf(readConstants()), rule: PROTOCOL, limitMs: 60_000, maxHandshakes },
  };
  return simulate(world, atOnce(DEVICES)).seconds.all;
}

kafkaTest(
  'far devices over TLS come back as fast as TCP_TLS_MAX_HANDSHAKES and their round trip allow, and as the simulation says',
  async ({ bootstrap }, t) => {
    const least = (DEVICES / FEW) * (ROUND_TRIP_MS / 1000);
    const few = { measured: await measured(bootstrap, FEW), simulated: simulated(FEW) };
    const many = await measured(bootstrap, MANY);
    t.diagnostic(
      `${FEW} at once: ${few.measured.toFixed(2)} s, simulated ${few.simulated.toFixed(2)} s, at least ${least} s; ${MANY} at once: ${many.toFixed(2)} s`,
    );
    assert.ok(few.measured >= least, `${few.measured} s`);
    assert.ok(Math.abs(few.measured / few.simulated - 1) < 0.25, `${few.measured} and ${few.simulated} s`);
    assert.ok(many < few.measured / 1.5, `${many} s with ${MANY}, ${few.measured} s with ${FEW}`);
  },
);
