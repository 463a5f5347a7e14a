// The rows of the dashboard on the processes of a gateway, and on HAProxy before the gateways.
import { EACH, lines, type Row, rateBy } from './panel.ts';

export const PROCESSES_CPU_AND_MEMORY: Row = {
  title: 'Processes, CPU and memory',
  panels: [
    lines(
      {
        title: 'Cores that each process uses',
        help: 'A server process uses one at most; near 1 it is the limit.',
        page: 'operations.md#component-processes',
      },
      'short',
      [{ expr: 'rate(sluice_process_cpu_seconds_total[5m])', legend: '{{instance}} {{process}}' }],
    ),
    lines(
      {
        title: 'Memory of each process',
        help: 'Resident memory. Processes share a part of it.',
        page: 'operations.md#component-processes',
      },
      'bytes',
      [{ expr: 'sluice_process_resident_memory_bytes', legend: '{{instance}} {{process}}' }],
    ),
    lines(
      { title: 'Connections of each process', help: 'They should be much the same.', page: 'metrics.md' },
      'short',
      [{ expr: 'sluice_process_connections', legend: '{{instance}} {{process}}' }],
    ),
    lines(
      {
        title: 'Server processes that answer',
        help: '0 while one hangs or is started again.',
        page: 'operations.md#sluiceprocessdown',
      },
      'short',
      [{ expr: 'sluice_process_up', legend: '{{instance}} {{process}}' }],
      { max: 1 },
    ),
    lines(
      {
        title: 'Server processes started again',
        help: 'After a crash, in the last hour.',
        page: 'operations.md#sluiceprocesscrashed',
      },
      'short',
      [{ expr: 'increase(sluice_process_restarts_total[1h])', legend: EACH }],
    ),
    lines(
      { title: 'JavaScript heap', help: 'Heap in use, of all processes together.', page: 'metrics.md' },
      'bytes',
      [{ expr: 'nodejs_heap_size_used_bytes', legend: EACH }],
    ),
  ],
};

export const HAPROXY: Row = {
  title: 'HAProxy',
  panels: [
    lines(
      {
        title: 'Gateways that HAProxy sends devices to',
        help: 'By backend. Empty if Prometheus does not scrape HAProxy.',
        page: 'operations.md#sluicebalancerempty',
      },
      'short',
      [{ expr: 'sum by (proxy) (haproxy_server_status{state="UP"})', legend: '{{proxy}}' }],
    ),
    lines(
      {
        title: 'Connections by gateway',
        help: 'They should be much the same, but for a time after a restart.',
        page: 'operations.md#sluicebalancerempty',
      },
      'short',
      [{ expr: 'haproxy_server_current_sessions', legend: '{{proxy}} {{server}}' }],
    ),
    lines(
      {
        title: 'PROXY headers',
        help: 'Connections of trusted proxies by their header: client is the usual one, own are health checks, all others were closed.',
        page: 'security.md',
      },
      'ops',
      [{ expr: rateBy('result', 'sluice_proxy_headers_total'), legend: '{{result}}' }],
    ),
  ],
};
