// More rounds, in a file of their own so that no file takes too long: faults that once lost records, and the death of a
// leader.
import { playTest } from './play.ts';

playTest('no record is given up that Kafka would take later, and a stop loses no accepted record', [
  ['clock-ahead'],
  ['sigterm-full'],
]);

playTest('records flow again within 15 seconds after a leader dies', [['leader-kill']]);
