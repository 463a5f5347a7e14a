// Rounds in which records on disk get other partitions, or the settings name another topic than theirs.
import { playTest } from './play.ts';

playTest('records on disk reach their topic, even if it is changed or renamed', [
  ['topic-fewer'],
  ['topic-fewer-more-kill'],
  ['topic-renamed-fewer-processes'],
  ['kill-while-placing'],
]);
