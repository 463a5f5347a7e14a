// Rounds for which npm test has no time. Each of their faults has a shorter test there: test/crash (a kill while records are
// placed; a topic with fewer partitions; another topic), test/e2e/stop.slow.test.ts (SIGTERM with a full buffer),
// test/e2e/dead-letters.test.ts (records too large), test/kafka/topics/fewer-partitions.test.ts (with three real brokers).
import { playTest } from './play.ts';

playTest('records on disk reach their topic, even if it is changed or renamed', [
  ['topic-fewer'],
  ['topic-renamed-fewer-processes'],
]);

playTest('records on disk reach their topic, even if the gateway is killed while they are placed', [
  ['topic-fewer-more-kill'],
  ['kill-while-placing'],
]);

playTest('no reading is lost by a stop with a full buffer, or beside readings that are too large', [
  ['sigterm-full'],
  ['too-large'],
]);
