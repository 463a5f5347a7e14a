// More rounds, in a file of their own so that no file takes too long: a fault that once lost records, and the death of a
// leader.
import { playTest } from './play.ts';

playTest('no record is given up that Kafka would take later', [['clock-ahead']]);

playTest('records flow again within 15 seconds after a leader dies', [['leader-kill']]);
