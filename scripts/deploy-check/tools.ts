// Brings Helm, kubeconform and the schemas of Kubernetes for the tests of the chart. Run by .ci/run beside the tests,
// as `nice -n 10 node dist/scripts/deploy-check/tools.js`: a build from nothing takes minutes of CPU, and tests leave a third
// of two cores idle. A test that comes first waits for the lock of the build. Exit code 0, whatever can be had.
import { HELM } from './chart.ts';
import { buildGoTool } from './go-tool.ts';
import { makeJudge } from './schemas.ts';

/** It gives way to the tests, and these wait for it at the end. */
const BUILD_MS = 20 * 60_000;

for (const made of [makeJudge(), buildGoTool(HELM, BUILD_MS)]) if (!made.ok) console.error(made.reason);
