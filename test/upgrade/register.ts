// Registers plays as tests, each with every former version. They are skipped loudly if the history is not here.
import { describe, it, type TestContext } from 'node:test';
import { sharedKafka } from '../support/kafka.ts';
import { skipLoudly } from '../support/missing-tool.ts';
import { type Build, buildOf, NoHistoryError, THIS_BUILD } from './builds.ts';
import { FORMER } from './former.ts';
import { outageOf } from './kafka-outage.ts';
import { PLAYS } from './plays.ts';

/** They mostly wait, and each has topics, ports and a proxy of its own. */
const AT_ONCE = 4;

export function register(isWanted: (commit: string, play: string) => boolean): void {
  describe('upgrades and rollbacks with readings on the disk', { concurrency: AT_ONCE }, () => {
    for (const { commit, about } of FORMER) {
      for (const play of PLAYS.filter(({ name }) => isWanted(commit, name))) {
        it(`${play.name}, OLD = ${commit} (${about})`, async (t) => {
          const from = former(t, commit);
          if (from === undefined) return;
          const shared = sharedKafka();
          if (shared === undefined) {
            t.skip('no Kafka (npm test starts one if it can)');
            return;
          }
          const kafka = await outageOf(shared.bootstrap);
          t.after(() => kafka.close());
          t.diagnostic(await play.run({ from, to: THIS_BUILD, kafka }));
        });
      }
    }
  });
}

/** Undefined, and the test is skipped loudly, if the history is not here. */
function former(t: TestContext, commit: string): Build | undefined {
  try {
    return buildOf(commit);
  } catch (error) {
    if (!(error instanceof NoHistoryError)) throw error;
    skipLoudly(t, error.message);
    return undefined;
  }
}
