// Rounds in which records on disk get other partitions, or the settings name another topic than theirs. more.long.test.ts
// has those that also kill the gateway meanwhile; test/crash tries every moment of that without a Kafka.
import { playTest } from './play.ts';

playTest('records on disk reach their topic, even if it is changed or renamed', [
  ['topic-fewer'],
  ['topic-renamed-fewer-processes'],
]);
