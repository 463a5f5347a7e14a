import assert from 'node:assert/strict';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { measure } from '../../../plan/validate/measure.ts';
import { withCertificate } from '../../../scripts/lib/certificate.ts';
import { kafkaTest } from '../../support/kafka.ts';

const PER_SECOND = 300;
const SECONDS = 3;

kafkaTest(
  'the measured runs of the plan bring devices back over TLS, have all lines stored, and tell what that took',
  async ({ bootstrap }) => {
    const said: string[] = [];
    // A machine that is busy with other things delays the load generator as it delays this process.
    const delay = monitorEventLoopDelay({ resolution: 20 });
    delay.enable();
    const { clientUs, runs } = await withCertificate((certificate) =>
      measure({
        bootstrap,
        certificate,
        points: [{ connections: 200, storms: { plain: 1, tls: 2 }, perSecond: PER_SECOND }],
        seconds: SECONDS,
        signal: new AbortController().signal,
        say: (text) => said.push(text),
      }),
    );
    const [run] = runs;
    assert.ok(run !== undefined && runs.length === 1);
    assert.equal(run.storms.length, 2);
    for (const storm of run.storms) {
      assert.ok(storm.seconds > 0);
      assert.ok(storm.serverCpuSeconds > 0);
    }
    assert.ok(clientUs > 50, `${clientUs} us`);
    delay.disable();
    const lateSeconds = delay.max / 1e9;
    const least = (PER_SECOND * SECONDS) / (1.2 * SECONDS + 3 * lateSeconds);
    const { perSecond } = run.steady;
    assert.ok(perSecond > least && perSecond < 310, `${perSecond} a second, and at least ${least} expected`);
    // Four processes of Node.
    assert.ok(run.memoryBytes > 4 * 30e6, `${run.memoryBytes} bytes`);
    assert.ok(said.length >= 4);
  },
);
