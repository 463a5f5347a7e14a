// All rows of the dashboard for Grafana, in their order. docs/metrics.md lists their queries too.
import { DEVICES, REFUSALS_BY_CODE } from './devices.ts';
import { FLOW, LATENCY } from './flow.ts';
import { DEAD_LETTERS_AND_PRESENCE, KAFKA } from './kafka.ts';
import { HAPROXY, PROCESSES_CPU_AND_MEMORY } from './machines.ts';
import type { Row } from './panel.ts';
import { IS_IT_READY } from './ready.ts';
import { SPOOL } from './spool.ts';

export const ROWS: readonly Row[] = [
  IS_IT_READY,
  DEVICES,
  FLOW,
  LATENCY,
  KAFKA,
  SPOOL,
  DEAD_LETTERS_AND_PRESENCE,
  PROCESSES_CPU_AND_MEMORY,
  REFUSALS_BY_CODE,
  HAPROXY,
];
