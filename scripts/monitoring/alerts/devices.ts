// Alerts on devices: they are held back, turned away or refused, or the balancer finds no gateway for them.
import { type Alert, gateways } from './alert.ts';

const BALANCER = { instance: 'haproxy:8404', job: 'haproxy' };

export const DEVICE_ALERTS: readonly Alert[] = [
  {
    name: 'SluiceDevicesPaused',
    expr: 'sluice_connections_paused > 0.5 * (sluice_connections > 10)',
    for: '5m',
    severity: 'ticket',
    summary: 'More than half of the devices of {{ $labels.instance }} are held back.',
    meaning:
      'The gateway, Kafka or the disk is too slow for them, or they send too many wrong lines. Nothing is dropped; devices wait.',
    confirm:
      '`curl -s localhost:9108/health`: the components `buffer` and `queue`; `sluice_connections_slowed` counts those that are slowed down for their own lines.',
    remedy:
      'If [SluiceOutage](#sluiceoutage) or [SluiceMemoryFull](#sluicememoryfull) fires, see there. Otherwise give the gateway more CPU, or add one.',
    cases: [
      gateways('6m', [
        ['sluice_connections_paused', '51+0x10', '50+0x10'],
        ['sluice_connections', '100+0x10', '100+0x10'],
      ]),
      gateways('6m', [
        ['sluice_connections_paused', '11+0x10', '10+0x10'],
        ['sluice_connections', '11+0x10', '10+0x10'],
      ]),
    ],
  },
  {
    name: 'SluiceQueueFull',
    expr: 'sluice_queues_full > 0',
    for: '5m',
    severity: 'ticket',
    summary: 'More lines come into {{ $labels.instance }} than it handles: a job queue is full.',
    meaning:
      'Devices are read more slowly. With `TCP_JOB_QUEUE_FULL=drop` lines are refused with `queue_full`; otherwise nothing is dropped.',
    confirm:
      '`sluice_queue_jobs` against `sluice_queue_capacity_jobs`, and `rate(sluice_process_cpu_seconds_total[5m])`.',
    remedy:
      'See the component [buffer](#component-buffer) first. If the CPU is used up, raise `TCP_PROCESSES` or add a gateway.',
    cases: [gateways('6m', [['sluice_queues_full', '1+0x10', '1 1 1 0 1 1 1']])],
  },
  {
    name: 'SluiceNearlyFull',
    expr: 'sluice_connections > 0.9 * sluice_connections_max',
    for: '5m',
    severity: 'ticket',
    summary: '{{ $labels.instance }} has nearly as many connections as it takes.',
    meaning:
      'When all places are taken, new devices are answered `server_full`. Connected devices are served.',
    confirm: '`sluice_connections` and `sluice_connections_max`; `sluice connections` shows who they are.',
    remedy:
      'Raise `TCP_MAX_CONNECTIONS` and `ulimit -n`, or add a gateway. `TCP_MAX_CONNECTIONS_PER_IP` keeps one address from taking all places.',
    cases: [
      gateways('6m', [
        ['sluice_connections', '901+0x10', '900+0x10'],
        ['sluice_connections_max', '1000+0x10', '1000+0x10'],
      ]),
    ],
  },
  {
    name: 'SluiceOutOfFiles',
    expr: 'sluice_processes_out_of_files > 0',
    for: '1m',
    severity: 'ticket',
    summary: '{{ $labels.instance }} has run out of open files, and turns new devices away.',
    meaning: 'The spool keeps the files that it needs. Connected devices are served.',
    confirm: '`grep "open files" /proc/PID/limits`, `ls /proc/PID/fd | wc -l`.',
    remedy:
      'Raise `ulimit -n` (`LimitNOFILE` of systemd, `ulimits` of Compose), or lower `TCP_MAX_CONNECTIONS`.',
    cases: [gateways('3m', [['sluice_processes_out_of_files', '1+0x5', '1 0 1 0 1']])],
  },
  {
    name: 'SluiceLinesRefused',
    expr: 'rate(sluice_lines_refused_total[15m]) > 0.05 * rate(sluice_lines_received_total[15m]) and rate(sluice_lines_refused_total[15m]) > 0.1',
    for: '15m',
    severity: 'ticket',
    summary: '{{ $labels.instance }} refuses more than one line of twenty.',
    meaning:
      'These readings are not stored, and their devices were told so with a code. Often a new version of a device sends something else, or a token is missing.',
    confirm:
      '`sum by (code) (rate(sluice_refusals_total[15m]))`, and `/refusals` of the admin port: the last refused line of each code.',
    remedy:
      'The [codes](protocol.md#error) say what a device should do. Mend the devices, or the setting that refuses their lines.',
    cases: [
      gateways('40m', [
        ['sluice_lines_refused_total', '0+51x60', '0+50x60'],
        ['sluice_lines_received_total', '0+1000x60', '0+1000x60'],
      ]),
      gateways('40m', [
        // Six a minute are 0.1 a second.
        ['sluice_lines_refused_total', '0+7x60', '0+6x60'],
        ['sluice_lines_received_total', '0+10x60', '0+10x60'],
      ]),
    ],
  },
  {
    name: 'SluiceBalancerDown',
    expr: 'up{job="haproxy"} == 0',
    for: '1m',
    severity: 'page',
    summary: 'HAProxy {{ $labels.instance }} gives no figures: it is down, or Prometheus cannot reach it.',
    meaning:
      'If HAProxy is down, no device is connected through it. The gateways run, and what they told `stored` is safe.',
    confirm:
      '`curl -s localhost:8404/healthz` on its machine. If it answers, Prometheus cannot reach it: the page `/targets` of Prometheus has the error.',
    remedy:
      'Read the end of its log and start it again: `docker compose logs --tail 50 haproxy`, then `docker compose up -d haproxy`. A wrong line in `haproxy.cfg` is named there.',
    cases: [
      {
        at: '3m',
        firing: [{ metric: 'up', labels: BALANCER, values: '0+0x5' }],
        silent: [{ metric: 'up', labels: { ...BALANCER, instance: 'other:8404' }, values: '0 1 0 1' }],
        labels: BALANCER,
      },
    ],
  },
  {
    name: 'SluiceBalancerEmpty',
    expr: 'sum without (server, state) (haproxy_server_status{state="UP"}) == 0',
    for: '1m',
    severity: 'page',
    summary: 'HAProxy {{ $labels.instance }} finds no gateway that is ready (backend {{ $labels.proxy }}).',
    meaning: 'New devices cannot connect. Connected devices are served, if their gateway runs.',
    confirm:
      '`curl -s http://GATEWAY:9108/readyz` from the machine of HAProxy, for each gateway. Its log has the result of each check.',
    remedy:
      'See the alerts of the gateways, [SluiceDown](#sluicedown) and [SluiceNotReady](#sluicenotready). If the gateways are ready, HAProxy cannot reach their port 9108, or `HTTP_ALLOWED_HOSTS` lacks the name that it asks for.',
    cases: [
      {
        at: '3m',
        firing: ['sluice-1', 'sluice-2'].map((server) => ({
          metric: 'haproxy_server_status',
          labels: { ...BALANCER, proxy: 'devices', server, state: 'UP' },
          values: '0+0x5',
        })),
        silent: ['0+0x5', '1+0x5'].map((values, index) => ({
          metric: 'haproxy_server_status',
          labels: { ...BALANCER, proxy: 'devices_tls', server: `sluice-${index + 1}`, state: 'UP' },
          values,
        })),
        labels: { ...BALANCER, proxy: 'devices' },
      },
    ],
  },
];
