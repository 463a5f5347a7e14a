// The table of all kinds of faults. A plan draws from it, so a new kind changes the plans of all seeds.
import type { FaultKind } from '../fault.ts';
import { BROKER_FAULTS } from './brokers.ts';
import { DEVICE_FAULTS } from './devices.ts';
import { DISK_FAULTS } from './disk.ts';
import { GATEWAY_FAULTS } from './gateway.ts';
import { NETWORK_FAULTS } from './network.ts';
import { ODD_BROKER_FAULTS } from './odd-brokers.ts';
import { SECOND_GATEWAY } from './second-gateway.ts';
import { TOPIC_FAULTS } from './topics.ts';

export const FAULTS: readonly FaultKind[] = [
  ...NETWORK_FAULTS,
  ...BROKER_FAULTS,
  ...ODD_BROKER_FAULTS,
  ...TOPIC_FAULTS,
  ...DISK_FAULTS,
  ...GATEWAY_FAULTS,
  ...DEVICE_FAULTS,
  SECOND_GATEWAY,
];
