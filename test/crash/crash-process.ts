// Records scenarios and starts a gateway on every state that a crash may leave at any moment of them. It is a process of
// its own, without node:test: that follows every promise by async hooks, which was a third of the CPU time.
import { serveCalls } from '../../load/processes/child.ts';
import { diskScenarios } from './disk-scenarios.ts';
import { type Explored, explore } from './explore.ts';
import { placingScenarios } from './placing-scenarios.ts';
import type { Scenario } from './run-scenarios.ts';
import { READINGS, Scene } from './scene.ts';
import { topicScenarios } from './topic-scenarios.ts';

export interface CrashCalls {
  /** Tries every crash point of the scenario of this name. */
  tryAll(name: string): Promise<{ readonly changes: number; readonly explored: Explored }>;
}

const SCENARIOS = [...diskScenarios, ...placingScenarios, ...topicScenarios];

serveCalls<CrashCalls>({
  tryAll: (name) => {
    const scenario = SCENARIOS.find((one) => one.name === name);
    if (scenario === undefined) throw new Error(`there is no scenario ${name}`);
    return record(scenario);
  },
});

async function record(scenario: Scenario): ReturnType<CrashCalls['tryAll']> {
  const { play, partitions = 2, settings = {}, topics = [READINGS] } = scenario;
  const scene = await Scene.begin(scenario);
  try {
    await play(scene);
  } finally {
    await scene.end();
  }
  const { entries, before: disk } = scene.journal;
  if (process.env.SLUICE_CRASH_PRINT !== undefined)
    for (const [index, entry] of entries.entries()) console.log(index, entry.text);
  const explored = await explore({
    disk,
    entries,
    devices: scene.devices,
    atFault: scene.atFault,
    settings: { KAFKA_NUM_PARTITIONS: partitions, ...settings },
    topics,
  });
  return { changes: entries.length, explored };
}
