// Records scenarios and starts a gateway on every state that a crash may leave at any moment of them. Every record that a
// device was told is stored must be delivered, once and in order.
import assert from 'node:assert/strict';
import childProcess from 'node:child_process';
import { syncBuiltinESMExports } from 'node:module';
import { after, before, test } from 'node:test';
import type { Settings } from '../../src/config/settings.ts';
import { type Explored, explore } from './explore.ts';
import { READINGS, Scene, type SceneOptions } from './scene.ts';

export interface Scenario extends SceneOptions {
  /** Read after "a crash while". */
  readonly name: string;
  /** With fewer crash points the scenario misses the steps that it tests. */
  readonly minPoints: number;
  /** Settings of the starts after a crash, besides the number of partitions. */
  readonly settings?: Partial<Settings>;
  /** Topics to which readings are sent. */
  readonly topics?: readonly string[];
  play(scene: Scene): Promise<void>;
}

const { spawnSync } = childProcess;

/** Makes a test for each scenario, and prints the number of all crash points at the end. */
export function testCrashPoints(scenarios: readonly Scenario[]): void {
  const sum = { points: 0, restartPoints: 0, starts: 0 };

  before(() => {
    // Taking the lock with a child process would be most of the time of a start, and nobody else uses the directory.
    childProcess.spawnSync = ((command: string, ...rest: never[]) =>
      command === 'flock'
        ? { status: 0 }
        : (spawnSync as (...args: unknown[]) => unknown)(command, ...rest)) as typeof spawnSync;
    syncBuiltinESMExports();
  });

  after(() => {
    childProcess.spawnSync = spawnSync;
    syncBuiltinESMExports();
    const { points, restartPoints, starts } = sum;
    console.log(
      `${points} crash points of ${scenarios.length} scenarios and ${restartPoints} of starts were tried, with ${starts} starts`,
    );
  });

  for (const scenario of scenarios) {
    const { name, minPoints } = scenario;
    test(`no stored record is lost, duplicated or reordered by a crash while ${name}`, async (t) => {
      const began = performance.now();
      const { changes, explored } = await record(scenario);
      const { points, restartPoints, starts, violations } = explored;
      sum.points += points;
      sum.restartPoints += restartPoints;
      sum.starts += starts;
      const ms = Math.round(performance.now() - began);
      t.diagnostic(
        `${changes} changes, ${points} points, ${restartPoints} within starts, ${starts} starts, ${ms} ms`,
      );
      assert.deepEqual(textsOf(violations), []);
      assert.ok(points >= minPoints, `only ${points} points`);
    });
  }
}

async function record(scenario: Scenario): Promise<{ changes: number; explored: Explored }> {
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

/** The first two are enough. */
const textsOf = (violations: Explored['violations']) => violations.slice(0, 2).map(({ text }) => text);
