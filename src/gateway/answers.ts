// How a process answers each question of inspect/questions.ts. Each answer is read from the parts of the gateway when it
// is asked for: nothing is kept for it.
import type { ConnectionInspector } from '../inspect/connections/inspector.ts';
import type { Answers } from '../inspect/questions.ts';
import type { Profiler } from '../profile/profiler.ts';
import type { LineTaps } from '../tap/line-taps.ts';
import type { RefusalSamples } from '../tap/refusal-samples.ts';

export interface AnswerSources {
  readonly inspector: ConnectionInspector;
  readonly refusals: RefusalSamples;
  readonly taps: LineTaps;
  readonly profiler: Profiler;
}

export function gatewayAnswers({ inspector, refusals, taps, profiler }: AnswerSources): Answers {
  return {
    connections: (query) => inspector.page(query),
    kick: (order) => inspector.kick(order),
    refusals: () => refusals.read(),
    tap: (question) => taps.answer(question),
    profile: (question) => profiler.answer(question),
    process() {
      const { heapTotal, external, arrayBuffers } = process.memoryUsage();
      return {
        pid: process.pid,
        node: process.versions.node,
        uptimeSeconds: process.uptime(),
        heapTotalBytes: heapTotal,
        externalBytes: external,
        arrayBuffersBytes: arrayBuffers,
      };
    },
  };
}
