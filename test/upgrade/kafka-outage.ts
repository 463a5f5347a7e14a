// A real Kafka that gateways reach through a proxy, so that it can be taken away.
import { BrokerProxy } from '../../scripts/kafka/broker-proxy.ts';
import type { KafkaOutage } from './play.ts';

/** Its broker runs on, and the way to it is cut: other tests use that Kafka as well. */
export async function outageOf(bootstrap: string): Promise<KafkaOutage & { close(): void }> {
  const proxies = await BrokerProxy.before(bootstrap.split(','));
  return {
    address: proxies.map(({ address }) => address).join(','),
    bootstrap,
    away: async () => {
      for (const proxy of proxies) proxy.refuse();
    },
    back: async () => {
      await Promise.all(proxies.map((proxy) => proxy.heal()));
    },
    close: () => {
      for (const proxy of proxies) proxy.close();
    },
  };
}
