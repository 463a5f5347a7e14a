// The gateway without the cost of its histograms, for the comparison with it: whatever fills them does nothing. Plain
// counters stay, because the gateway itself needs most of them. For the bench only.
import { LagWindow } from '../../src/admin/loop-lag.ts';
import { AgeRuns } from '../../src/measure/age-runs.ts';
import { Histogram } from '../../src/measure/histogram.ts';

const nothing = () => {};
Object.assign(Histogram.prototype, { record: nothing });
Object.assign(AgeRuns.prototype, { add: nothing, recordTo: nothing, clear: nothing, takeFrom: nothing });
Object.assign(LagWindow.prototype, { add: nothing });

await import('../../src/main.ts');
