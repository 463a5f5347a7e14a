// All alerts, in the order of the docs. deploy/prometheus/rules.yml, its unit tests, Grafana's alerts, docs/metrics.md and
// the section of docs/operations.md are generated from them.
import type { Alert } from './alert.ts';
import { DEVICE_ALERTS } from './devices.ts';
import { GATEWAY_ALERTS } from './gateway.ts';
import { KAFKA_ALERTS } from './kafka.ts';
import { SPOOL_ALERTS } from './spool.ts';

export const ALERTS: readonly Alert[] = [
  ...GATEWAY_ALERTS,
  ...KAFKA_ALERTS,
  ...SPOOL_ALERTS,
  ...DEVICE_ALERTS,
];
