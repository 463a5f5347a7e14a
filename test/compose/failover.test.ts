// The gateways of docker-compose.yml behind deploy/haproxy/haproxy.cfg, as processes on loopback, with a real Kafka. The long
// form is failover.bench.test.ts.
import { hasHaproxy } from '../support/haproxy.ts';
import { kafkaTest } from '../support/kafka.ts';
import { assertNothingLost, failover } from './failover.ts';

kafkaTest(
  'one gateway behind HAProxy is drained, the other is killed, and nothing that was stored is lost or doubled',
  async ({ bootstrap }, t) => {
    if (!hasHaproxy(t)) return;
    const plan = { devices: 60, rate: 600, drain: '4s', spread: '1s', untilUp: false };
    assertNothingLost(t, plan, await failover(t, bootstrap, plan));
  },
);
