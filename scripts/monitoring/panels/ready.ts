// The first row of the dashboard: which gateways are there, and whether they would keep data that is sent now.
import { EACH, figure, lines, NOT_ONE, NOT_ZERO, type Row } from './panel.ts';

export const IS_IT_READY: Row = {
  title: 'Is it ready?',
  panels: [
    figure(
      {
        title: 'Scraped',
        help: 'Whether Prometheus gets figures from the gateway. 0: it is down or cannot be reached.',
        page: 'operations.md#sluicedown',
      },
      'short',
      { expr: 'up', legend: EACH },
      { thresholds: NOT_ONE, words: { 0: 'down', 1: 'up' } },
    ),
    figure(
      {
        title: 'Ready',
        help: 'Whether data sent now would be kept, as /readyz.',
        page: 'operations.md#sluicenotready',
      },
      'short',
      { expr: 'sluice_ready', legend: EACH },
      { thresholds: NOT_ONE, words: { 0: 'not ready', 1: 'ready' } },
    ),
    figure(
      {
        title: 'Draining',
        help: 'A gateway that is drained or stops is not ready on purpose.',
        page: 'operations.md#component-processes',
      },
      'short',
      { expr: 'sluice_draining', legend: EACH },
      {
        thresholds: [
          ['green', 0],
          ['orange', 1],
        ],
        words: { 0: 'no', 1: 'draining' },
      },
    ),
    figure(
      {
        title: 'Unaccounted records and lines',
        help: 'Records or lines in no state that they can have. Always 0; anything else is a bug.',
        page: 'operations.md#sluiceunaccounted',
      },
      'short',
      { expr: 'abs(sluice_unaccounted_records) + abs(sluice_unaccounted_lines)', legend: EACH },
      { thresholds: NOT_ZERO },
    ),
    {
      kind: 'table',
      title: 'Alerts',
      help: 'Alerts of Prometheus that fire or are about to. Each has a section on the page of operations.',
      page: 'operations.md#alerts',
      unit: 'short',
      width: 12,
      queries: [{ expr: 'ALERTS{alertname=~"Sluice.*"}', legend: '' }],
    },
    {
      kind: 'table',
      title: 'Versions',
      help: 'The version of each gateway, and of its Node.js.',
      page: 'metrics.md',
      unit: 'short',
      width: 12,
      queries: [{ expr: 'sluice_build_info', legend: '' }],
    },
    lines(
      {
        title: 'Time since the start',
        help: 'A line that falls to 0 is a restart.',
        page: 'operations.md#sluicerestartsagain',
      },
      's',
      [{ expr: 'sluice_uptime_seconds', legend: EACH }],
    ),
  ],
};
