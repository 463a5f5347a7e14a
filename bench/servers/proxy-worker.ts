// The process with the delaying proxies of the bench, so that their CPU does not count as the server's or the load's.
import { serveCalls } from '../../load/processes/child.ts';
import { BrokerProxy } from '../../scripts/kafka/broker-proxy.ts';
import { DelayProxy } from '../../scripts/kafka/delay-proxy.ts';

export interface ProxyCalls {
  /** Resolves with a port that leads to the gateway at `port` with this round trip. */
  toGateway(options: { readonly port: number; readonly roundTripMs: number }): Promise<number>;
  /**
   * Resolves with a bootstrap that leads to these brokers with this round trip. They must be on this machine: in answers
   * about brokers only the ports are replaced.
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
