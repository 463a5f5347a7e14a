// Tests of scenarios: a gateway is started on every state that a crash may leave at any moment of them. Every record that
// a device was told is stored must be delivered, once and in order. crash-process.ts does the work.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Child } from '../../load/processes/child.ts';
import type { Settings } from '../../src/config/settings.ts';
import type { CrashCalls } from './crash-process.ts';
import type { Explored } from './explore.ts';
import type { Scene, SceneOptions } from './scene.ts';

export interface Scenario extends SceneOptions {
  /** Read after "a crash while". */
  readonly name: string;
  /** With fewer crash points the scenario misses the steps that it tests. */
  readonly minPoints: number;
  /** Played by more.long.test.ts: another scenario has the same steps with fewer crashes. */
  readonly isLong?: true;
  /** Settings of the starts after a crash, besides the number of partitions. */
  readonly settings?: Partial<Settings>;
  /** Topics to which readings are sent. */
  readonly topics?: readonly string[];
  play(scene: Scene): Promise<void>;
}

const PROCESS = new URL('crash-process.js', import.meta.url);

/** Makes a test for each scenario, and prints the number of all crash points at the end. */
export function testCrashPoints(scenarios: readonly Scenario[]): void {
  const sum = { points: 0, restartPoints: 0, starts: 0 };
  const crashes = new Child<CrashCalls>(PROCESS);

  after(async () => {
    await crashes.stop();
    const { points, restartPoints, starts } = sum;
    console.log(
      `${points} crash points of ${scenarios.length} scenarios and ${restartPoints} of starts were tried, with ${starts} starts`,
    );
  });

  for (const { name, minPoints } of scenarios) {
    test(`no stored record is lost, duplicated or reordered by a crash while ${name}`, async (t) => {
      const began = performance.now();
      const { changes, explored } = await crashes.call('tryAll', name);
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

/** The first two are enough. */
const textsOf = (violations: Explored['violations']) => violations.slice(0, 2).map(({ text }) => text);
