// The long ways of the bench, in a process of their own: their CPU is neither the server's nor the load's.

import { serveCalls } from '../../load/processes/child.ts';
import { BrokerProxy } from '../../scripts/kafka/broker-proxy.ts';
import { DelayProxy } from '../../scripts/kafka/delay-proxy.ts';

export interface ProxyCalls {
  /** Resolves with the port from which a device is so far from the gateway behind `port`. */
  toGateway(options: { readonly port: number; readonly roundTripMs: number }): Promise<number>;
  /**
   * Resolves with the bootstrap from which a client is so far from each of these brokers. They have to be on this
   * machine: answers about them are changed in their ports only.
   */
  toBrokers(options: { readonly brokers: readonly string[]; readonly roundTripMs: number }): Promise<string>;
}

serveCalls<ProxyCalls>({
  async toGateway({ port, roundTripMs }) {
    return (await DelayProxy.before({ port }, roundTripMs)).port;
  },

  async toBrokers({ brokers, roundTripMs }) {
    const proxies = await BrokerProxy.before(brokers);
    for (const proxy of proxies) proxy.delayMs = roundTripMs / 2;
    return proxies.map(({ address }) => address).join(',');
  },
});
