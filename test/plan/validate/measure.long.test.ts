import assert from 'node:assert/strict';
import { measure } from '../../../plan/validate/measure.ts';
import { withCertificate } from '../../../scripts/lib/certificate.ts';
import { kafkaTest } from '../../support/kafka.ts';

kafkaTest(
  'the measured runs of the plan bring devices back over TLS, have all lines stored, and tell what that took',
  async ({ bootstrap }) => {
    const said: string[] = [];
    const { clientUs, runs } = await withCertificate((certificate) =>
      measure({
        bootstrap,
        certificate,
        points: [{ connections: 200, storms: { plain: 1, tls: 2 }, perSecond: 300 }],
        seconds: 3,
        signal: new AbortController().signal,
        say: (text) => said.push(text),
      }),
    );
    const [run] = runs;
    assert.equal(runs.length, 1);
    assert.equal(run?.storms.length, 2);
    for (const storm of run?.storms ?? []) {
      assert.ok(storm.seconds > 0);
      assert.ok(storm.serverCpuSeconds > 0);
    }
    assert.ok(clientUs > 50, `${clientUs} us`);
    assert.ok(
      run !== undefined && run.steady.perSecond > 250 && run.steady.perSecond < 310,
      JSON.stringify(run?.steady),
    );
    // Four processes of Node.
    assert.ok(run.memoryBytes > 4 * 30e6, `${run.memoryBytes} bytes`);
    assert.ok(said.length >= 4);
  },
);
