// The long form of failover.test.ts: a thousand devices, and HAProxy takes each gateway in again before the load ends.
import { hasHaproxy } from '../support/haproxy.ts';
import { kafkaTest } from '../support/kafka.ts';
import { assertNothingLost, failover } from './failover.ts';

kafkaTest(
  '1,000 devices behind HAProxy, one gateway drained and the other killed',
  async ({ bootstrap }, t) => {
    if (!hasHaproxy(t)) return;
    const plan = { devices: 1000, rate: 4000, drain: '5s', spread: '5s', untilUp: true };
    assertNothingLost(t, plan, await failover(t, bootstrap, plan));
  },
);
