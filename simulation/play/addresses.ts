// The machines of a history, by name.
export { GATEWAY_HOST as GATEWAY } from '../network/hosts.ts';

export const BROKER_PORT = 9092;

/** @param node from 1 */
export const brokerHost = (node: number): string => `kafka-${node}`;

/** @param device from 0 */
export const deviceHost = (device: number): string => `device-${device}`;

/** KAFKA_BROKERS */
export const bootstrapOf = (brokers: number): string =>
  Array.from({ length: brokers }, (_, index) => `${brokerHost(index + 1)}:${BROKER_PORT}`).join(',');
