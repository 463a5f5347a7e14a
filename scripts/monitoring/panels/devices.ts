// The rows of the dashboard on devices: connections, and refusals.
import { EACH, figure, lines, type Row, rate, rateBy } from './panel.ts';

export const DEVICES: Row = {
  title: 'Devices',
  panels: [
    lines(
      {
        title: 'Connections',
        help: 'Open connections, and how many there may be (TCP_MAX_CONNECTIONS).',
        page: 'operations.md#component-connections',
      },
      'short',
      [
        { expr: 'sluice_connections', legend: EACH },
        { expr: 'sluice_connections_max', legend: `${EACH} most` },
      ],
    ),
    lines(
      {
        title: 'Connections by stage',
        help: 'How far the open connections have come.',
        page: 'metrics.md',
      },
      'short',
      [{ expr: 'sum by (stage) (sluice_connections_in_stage)', legend: '{{stage}}' }],
      { isStacked: true },
    ),
    lines(
      {
        title: 'Paused and slowed',
        help: 'Connections that are not read at present, or more slowly: something is too slow for them, or they send wrong lines.',
        page: 'operations.md#sluicedevicespaused',
      },
      'short',
      [
        { expr: 'sluice_connections_paused', legend: `${EACH} paused` },
        { expr: 'sluice_connections_slowed', legend: `${EACH} slowed` },
      ],
    ),
    lines(
      { title: 'Connections a second', help: 'Connections that are accepted.', page: 'metrics.md' },
      'ops',
      [{ expr: rate('sluice_connections_accepted_total'), legend: EACH }],
    ),
    lines(
      {
        title: 'Connections that end, by reason',
        help: 'device_end is the usual one.',
        page: 'metrics.md',
      },
      'ops',
      [{ expr: rateBy('reason', 'sluice_connections_closed_total'), legend: '{{reason}}' }],
      { isStacked: true },
    ),
    lines(
      {
        title: 'TLS handshakes a second',
        help: 'Those that succeeded, those of them that resumed a session, and those that failed, by reason.',
        page: 'security.md',
      },
      'ops',
      [
        { expr: 'sum(rate(sluice_tls_handshakes_total[5m]))', legend: 'succeeded' },
        { expr: 'sum(rate(sluice_tls_resumed_total[5m]))', legend: 'resumed' },
        { expr: rateBy('reason', 'sluice_tls_failures_total'), legend: 'failed: {{reason}}' },
      ],
    ),
    figure(
      {
        title: 'The certificate expires in',
        help: 'Time until the first certificate of each file expires. Empty without TLS.',
        page: 'operations.md#component-certificates',
      },
      's',
      { expr: 'sluice_tls_certificate_remaining_seconds', legend: '{{instance}} {{file}}' },
      {
        thresholds: [
          ['red', 0],
          ['orange', 86_400],
          ['green', 14 * 86_400],
        ],
      },
    ),
    lines(
      {
        title: 'Memory of connections',
        help: 'Unfinished lines, lines that wait and unsent replies, as a part of TCP_BUFFER_BYTES.',
        page: 'metrics.md',
      },
      'percentunit',
      [
        {
          expr: 'sluice_connections_buffer_bytes / sluice_connections_buffer_capacity_bytes',
          legend: EACH,
        },
      ],
      { max: 1 },
    ),
  ],
};

export const REFUSALS_BY_CODE: Row = {
  title: 'Refusals by code',
  panels: [
    lines(
      {
        title: 'Error replies by code',
        help: 'Each code is explained in the protocol.',
        page: 'protocol.md#error',
      },
      'ops',
      [{ expr: rateBy('code', 'sluice_refusals_total'), legend: '{{code}}' }],
      { isStacked: true },
    ),
    lines(
      {
        title: 'Connections turned away',
        help: 'Answered server_full, by reason.',
        page: 'operations.md#component-connections',
      },
      'ops',
      [{ expr: rateBy('reason', 'sluice_connections_refused_total'), legend: '{{reason}}' }],
    ),
    lines(
      {
        title: 'Devices without the right to connect',
        help: 'Answered unauthorized, by reason.',
        page: 'security.md',
      },
      'ops',
      [{ expr: rateBy('reason', 'sluice_unauthorized_total'), legend: '{{reason}}' }],
    ),
    lines(
      {
        title: 'Other protocols on the port of devices',
        help: 'Often scanners.',
        page: 'security.md',
      },
      'ops',
      [{ expr: rateBy('protocol', 'sluice_wrong_protocol_total'), legend: '{{protocol}}' }],
    ),
    lines(
      {
        title: 'Requests that the admin port refused',
        help: 'A host that is not in HTTP_ALLOWED_HOSTS, a page of another origin, or a missing token.',
        page: 'admin-api.md',
      },
      'ops',
      [{ expr: rateBy('reason', 'sluice_admin_refusals_total'), legend: '{{reason}}' }],
    ),
  ],
};
