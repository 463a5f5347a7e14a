// The check of a history in which Kafka refused every record for a while, and then took all of them again.
import type { Step } from './plan.ts';
import type { Stage } from './stage.ts';

/** A record is given up alone only with proof that Kafka takes others; a few may be taken for the fault themselves. */
const EACH = 6;
/** Other kinds because of which Kafka refuses single records. */
const REFUSES = 'refused-then-ended';

/** Nobody may give up the records of a topic that takes none at all. */
export function checkLetters({ fleet, scene, kafka, wrong }: Stage, steps: readonly Step[]): void {
  const refusing = steps.filter(({ kind }) => kind.excuses?.includes(REFUSES));
  const isAll = refusing.every(
    ({ kind, parameters }) => kind.name === 'records-refused' && parameters.oneIn === 1,
  );
  if (refusing.length === 0 || !isAll) return;
  const partitions = Math.max(...kafka.partitionCounts);
  const most = EACH * partitions * refusing.length * Number(scene.env.TCP_PROCESSES);
  const refused = [...fleet.messages()].filter(({ isRefusedByKafka }) => isRefusedByKafka).length;
  if (refused > most)
    wrong.add(
      'given up without proof',
      `${refused} records, at most ${most} with ${refusing.length} such steps`,
    );
}
