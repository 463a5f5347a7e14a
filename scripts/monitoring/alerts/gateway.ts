// Alerts on a gateway as a whole: it is there, it is ready, its balance holds, its processes run.
import { type Alert, gateways } from './alert.ts';

/** The name of the job in deploy/prometheus/prometheus.yml is sluice. In Kubernetes it is the name of the Service. */
const OURS = 'up{job=~".*sluice.*"}';

export const GATEWAY_ALERTS: readonly Alert[] = [
  {
    name: 'SluiceDown',
    expr: `${OURS} == 0`,
    for: '1m',
    severity: 'page',
    summary: '{{ $labels.instance }} gives no figures: the gateway is down, or Prometheus cannot reach it.',
    meaning:
      'If the gateway is down, its devices go to the other gateways or wait. Readings that it had on disk were told `stored`; they wait in its `SPOOL_DIR` until it starts again. Readings in memory were not told `stored`, so devices that wait for it send them again.',
    confirm:
      '`curl -s localhost:9108/healthz` on its machine. If it answers, the network or `HTTP_ALLOWED_HOSTS` keeps Prometheus away: the page `/targets` of Prometheus has the error.',
    remedy:
      'Start the gateway again with the same `SPOOL_DIR`, and read the end of its log: `docker compose logs --tail 50 sluice-1`, `journalctl -u sluice -n 50` or `kubectl logs --previous POD`. Exit code 78 means a setting that only a person can change. Error 403 in Prometheus: add the name that it asks for to `HTTP_ALLOWED_HOSTS`.',
    cases: [gateways('3m', [['up', '0+0x5', '0 1 0 1']])],
  },
  {
    name: 'SluiceAbsent',
    expr: `absent(${OURS})`,
    for: '5m',
    severity: 'page',
    summary: 'Prometheus knows no gateway at all, so no other alert on Sluice can fire.',
    meaning: 'Nothing is known of the gateways. They may work, or be gone.',
    confirm: 'The page `/targets` of Prometheus: it has no job with `sluice` in its name.',
    remedy:
      'Add the gateways to `scrape_configs` (`deploy/prometheus/prometheus.yml`). In Kubernetes see whether the ServiceMonitor or PodMonitor exists and has the labels that your Prometheus selects.',
    cases: [
      {
        at: '6m',
        firing: [{ metric: 'up', labels: { instance: 'kafka:9404', job: 'kafka' }, values: '1+0x10' }],
        // A gateway that is down is known.
        silent: [{ metric: 'up', labels: { instance: 'sluice-1:9108', job: 'sluice' }, values: '0+0x10' }],
        labels: {},
      },
    ],
  },
  {
    name: 'SluiceNotReady',
    expr: 'sluice_ready == 0 unless sluice_draining == 1',
    for: '1m',
    severity: 'page',
    summary: '{{ $labels.instance }} is not ready: readings sent to it now would not be kept.',
    meaning:
      'Balancers send no new devices to this gateway. Connected devices are paused or refused. What was told `stored` is safe. A drain and a stop make a gateway not ready too, on purpose; then this alert is silent.',
    confirm: "`curl -s 'localhost:9108/readyz?verbose'` on its machine says why, with what to do.",
    remedy:
      'The reason says what to do; each is explained under [states of components](#states-of-components).',
    cases: [
      gateways('3m', [
        ['sluice_ready', '0+0x5', '0+0x5'],
        ['sluice_draining', '0+0x5', '1+0x5'],
      ]),
      gateways('3m', [
        ['sluice_ready', '0+0x5', '1+0x5'],
        ['sluice_draining', '0+0x5', '0+0x5'],
      ]),
    ],
  },
  {
    name: 'SluiceUnaccounted',
    expr: 'sluice_unaccounted_records != 0 or sluice_unaccounted_lines != 0',
    for: '1m',
    severity: 'page',
    summary: '{{ $labels.instance }} has lines or records in no state that they can have: a bug.',
    meaning: 'Readings may be lost or doubled. The gateway goes on.',
    confirm: '`curl -s localhost:9108/metrics | grep unaccounted`: a figure is not 0.',
    remedy: 'Keep the log and a copy of `SPOOL_DIR`, and report it with the output of `/stats`.',
    cases: [
      gateways('3m', [
        ['sluice_unaccounted_records', '0+0x5', '0+0x5'],
        ['sluice_unaccounted_lines', '-2+0x5', '0+0x5'],
      ]),
      gateways('3m', [
        ['sluice_unaccounted_records', '1+0x5', '0+0x5'],
        ['sluice_unaccounted_lines', '0+0x5', '0+0x5'],
      ]),
    ],
  },
  {
    name: 'SluiceProcessDown',
    expr: 'sluice_process_up == 0',
    for: '1m',
    severity: 'ticket',
    summary: 'Server process {{ $labels.process }} of {{ $labels.instance }} hangs or is gone.',
    meaning:
      'The other server processes serve its devices when they come back. What it had on disk is sent after its start. A process that hangs is killed after 10 s and started again, so one that is down for a minute does not come up.',
    confirm:
      '`curl -s localhost:9108/health` has the component `processes`; the log has `process_hung` or `process_crashed`.',
    remedy:
      'See the reason in the log. Look for a disk that hangs (`dmesg`), a machine without memory (`free -h`), or a stopped process (`/proc/PID/status`). If it does not come back, restart the gateway.',
    cases: [gateways('3m', [['sluice_process_up{process="1"}', '1 0 0 0', '1 0 1 0']])],
  },
  {
    name: 'SluiceProcessCrashed',
    expr: 'increase(sluice_process_restarts_total[15m]) > 0',
    for: '0m',
    severity: 'ticket',
    summary: 'A server process of {{ $labels.instance }} crashed and was started again.',
    meaning:
      'Its devices were cut off and came back. What it had on disk is taken up. What it had in memory is in `sluice_records_abandoned_total`; none of it was told `stored`.',
    confirm: 'The log has `process_crashed` with the reason; `increase(sluice_process_restarts_total[1h])`.',
    remedy:
      'Killed by the kernel (signal SIGKILL, `dmesg` names it): allow more memory, or lower `KAFKA_BUFFER_BYTES` and `TCP_BUFFER_BYTES`. Otherwise it is a bug: report it with the log.',
    cases: [gateways('3m', [['sluice_process_restarts_total', '4 4 5 5', '5 5 5 5']])],
  },
  {
    name: 'SluiceRestartsAgain',
    expr: 'resets(sluice_uptime_seconds[1h]) >= 3',
    for: '0m',
    severity: 'ticket',
    summary: '{{ $labels.instance }} has started three times or more within an hour.',
    meaning:
      'Each start cuts its devices off. Nothing that was told `stored` is lost. Something ends the whole gateway again and again: a crash, the kernel, a supervisor or a health check.',
    confirm:
      'The time since the start in `sluice_uptime_seconds`; `docker inspect` (RestartCount), `systemctl status sluice` or `kubectl describe pod` say who restarts it.',
    remedy:
      'Read the last lines of the log before each start. A supervisor should restart on `/healthz`, never on `/readyz`: a gateway that is not ready may hold readings.',
    cases: [
      gateways('40m', [
        ['sluice_uptime_seconds', '60+60x9 10+60x9 10+60x9 10+60x30', '60+60x9 10+60x9 10+60x40'],
      ]),
    ],
  },
  {
    name: 'SluiceEventLoopLate',
    expr: 'sluice_process_eventloop_lag_p99_seconds > 0.5',
    for: '5m',
    severity: 'ticket',
    summary:
      'Process {{ $labels.process }} of {{ $labels.instance }} answers late: its event loop waits for more than half a second.',
    meaning: 'Devices wait for `stored`. Nothing is lost.',
    confirm:
      '`rate(sluice_process_cpu_seconds_total[5m])` near 1 means that the core is used up; `top`, and `vmstat 1` for a machine that swaps.',
    remedy: 'Give the machine more CPU or memory, raise `TCP_PROCESSES`, or add a gateway.',
    cases: [
      gateways('6m', [['sluice_process_eventloop_lag_p99_seconds{process="0"}', '0.6+0x10', '0.5+0x10']]),
    ],
  },
  {
    name: 'SluiceClockDiffers',
    expr: 'abs(sluice_clock_offset_seconds) > 5',
    for: '5m',
    severity: 'ticket',
    summary: 'The clocks of {{ $labels.instance }} and of the Kafka broker differ by more than 5 seconds.',
    meaning:
      'The times in readings and the ages in these figures are wrong by as much. If the gateway is far ahead, Kafka refuses the records, and they wait in the spool. It is known only for topics with `message.timestamp.type=LogAppendTime`.',
    confirm: '`timedatectl` or `chronyc tracking` on both machines.',
    remedy: 'Keep both clocks right by NTP.',
    cases: [gateways('6m', [['sluice_clock_offset_seconds', '-6+0x10', '5+0x10']])],
  },
  {
    name: 'SluiceCertificateExpires',
    expr: 'sluice_tls_certificate_remaining_seconds < 14 * 86400 and sluice_tls_certificate_remaining_seconds < 0.25 * sluice_tls_certificate_lifetime_seconds',
    for: '1h',
    severity: 'ticket',
    summary:
      'A certificate of the TLS port of {{ $labels.instance }} (file: {{ $labels.file }}) expires soon.',
    meaning:
      'Fourteen days or less are left, and less than a quarter of its lifetime. Once it has expired, devices that check it cannot connect. `cert` is the file of `TCP_TLS_CERT`, `ca` that of `TCP_TLS_CA`.',
    confirm: '`openssl x509 -enddate -noout -in FILE`.',
    remedy: 'Renew it. The new file is read without a restart.',
    cases: [
      gateways('90m', [
        ['sluice_tls_certificate_remaining_seconds{file="cert"}', '1000000+0x90', '500000+0x90'],
        // That of the other one lives for a week, and most of it is left.
        ['sluice_tls_certificate_lifetime_seconds{file="cert"}', '7776000+0x90', '604800+0x90'],
      ]),
      gateways('90m', [
        ['sluice_tls_certificate_remaining_seconds{file="ca"}', '1209599+0x90', '1209600+0x90'],
        ['sluice_tls_certificate_lifetime_seconds{file="ca"}', '7776000+0x90', '7776000+0x90'],
      ]),
      gateways('90m', [
        ['sluice_tls_certificate_remaining_seconds{file="ca"}', '249+0x90', '250+0x90'],
        ['sluice_tls_certificate_lifetime_seconds{file="ca"}', '1000+0x90', '1000+0x90'],
      ]),
    ],
  },
  {
    name: 'SluiceCertificateExpired',
    expr: 'sluice_tls_certificate_remaining_seconds <= 0',
    for: '1m',
    severity: 'page',
    summary:
      'A certificate of the TLS port of {{ $labels.instance }} (file: {{ $labels.file }}) has expired.',
    meaning: 'Devices that check it cannot connect. Those that are connected stay.',
    confirm: '`openssl x509 -enddate -noout -in FILE`; `sluice_tls_failures_total` grows.',
    remedy: 'Renew it. The new file is read without a restart.',
    cases: [
      gateways('3m', [['sluice_tls_certificate_remaining_seconds{file="cert"}', '0-60x5', '3600-60x5']]),
    ],
  },
];
