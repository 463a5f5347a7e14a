// Log lines about devices and their connections.
import type { LineTable } from '../line.ts';

const EVERY_MS = 10_000;

export const DEVICE_LINES = {
  connection_opened: {
    level: 'debug',
    text: 'Connection opened from {remoteAddress}',
    fields: { connectionId: 'text', remoteAddress: 'text' },
    meaning:
      'A connection is served. With TLS its handshake is complete. The other lines of the connection have the same `connectionId`.',
  },
  connection_identified: {
    level: 'debug',
    text: 'Connection from {remoteAddress} identified with {identity}',
    fields: {
      connectionId: 'text',
      remoteAddress: 'text',
      deviceId: 'text?',
      zipcode: 'text?',
      identity: 'text?',
    },
    meaning:
      'The device has identified. The answer to it is on the way. `identity` is its zipcode, or its device_id if it has no zipcode.',
  },
  connection_closed: {
    level: 'debug',
    text: 'Connection from {remoteAddress} closed after {openMs} ({reason}): {receivedBytes} in {receivedLines} lines',
    fields: {
      connectionId: 'text',
      remoteAddress: 'text',
      deviceId: 'text?',
      reason: 'text',
      receivedBytes: 'bytes',
      receivedLines: 'count',
      openMs: 'ms',
    },
    meaning:
      '`reason` is the code that the device was sent ([protocol.md](protocol.md)), or `device_end` if the device ended it in order, `reset` if the connection broke, `shutdown` if the gateway stops.',
  },
  connection_unserved: {
    level: 'debug',
    text: 'Connection from {remoteAddress} ended before it was served: {reason}',
    fields: { remoteAddress: 'text', reason: 'text' },
    meaning:
      'A connection was refused, or its PROXY header or TLS handshake failed. There are no other lines of it. Warnings count such connections by reason.',
  },
  line_refused: {
    level: 'debug',
    text: 'Line from {remoteAddress} refused with {code}: {sample}',
    fields: {
      connectionId: 'text',
      remoteAddress: 'text',
      deviceId: 'text?',
      code: 'text',
      bytes: 'bytes',
      sample: 'text',
      skipped: 'count?',
    },
    meaning:
      'A line of a device was refused. `sample` is its start, without tokens. A process logs at most 50 a second; `skipped` are those since the last one that was logged.',
    look: 'The code in [protocol.md](protocol.md), and the whole line in the topic of `KAFKA_TOPIC_DEAD_LETTERS`.',
  },
  connections_refused: {
    level: 'warn',
    text: 'Connection refused: server full',
    fields: { reason: 'text' },
    everyMs: EVERY_MS,
    meaning:
      'New connections were answered `server_full` and closed, for the given reason. Devices try again later.',
    look: '`sluice_connections` and `sluice_connections_refused_total`, see [metrics.md](metrics.md).',
    remedy:
      'Raise the limit that `reason` is about: `TCP_MAX_CONNECTIONS`, `TCP_MAX_CONNECTIONS_PER_IP`, `TCP_MAX_ACCEPTS_PER_SECOND`.',
  },
  listener_failed: {
    level: 'error',
    text: 'TCP listener failed',
    fields: { err: 'error' },
    meaning: 'The system does not accept connections for the moment. Open connections are served.',
    remedy:
      'Look at `err`: EMFILE and ENFILE mean too many open files, ENOBUFS and ENOMEM too little memory.',
  },
  devices_paused: {
    level: 'error',
    text: 'Devices are paused ({pausedConnections} of {connections}), because memory for readings is full (KAFKA_BUFFER_BYTES): neither Kafka nor the spool takes any. Nothing is dropped, devices wait. To do: bring Kafka back, or make room for the spool; /readyz?verbose says why each does not take them',
    fields: {
      pausedConnections: 'count',
      connections: 'count',
      durationMs: 'ms',
      reason: 'text',
    },
    meaning:
      'Neither Kafka nor the disk takes records, so memory is full and the gateway does not read from devices that send. What was accepted is kept, and what devices send waits in their own buffers: a device that cannot wait may lose readings. Repeated every 5 minutes while it lasts.',
    look: '`curl -s localhost:9108/readyz?verbose`, `df -h` of `SPOOL_DIR`, `sluice_connections_paused`',
    remedy: 'Bring Kafka back, or make space for the spool. The gateway goes on by itself within seconds.',
  },
  devices_resumed: {
    level: 'info',
    text: 'Devices are read again, after {durationMs}. Nothing was dropped',
    fields: { durationMs: 'ms' },
    meaning: 'Memory has room again. What devices held back comes in now.',
  },
  open_files_exhausted: {
    level: 'error',
    text: 'The process has run out of open files (ulimit -n): new devices are turned away, so that the spool and the admin port have the rest. Raise the limit, or lower TCP_MAX_CONNECTIONS',
    meaning:
      'The process has used all files that the system allows it. Open connections are served and records are kept.',
    look: '`ls /proc/PID/fd | wc -l` and `grep "open files" /proc/PID/limits`.',
    remedy:
      'Raise the limit (`LimitNOFILE=`, `--ulimit nofile=`) and restart, or lower `TCP_MAX_CONNECTIONS`.',
  },
  open_files_available: {
    level: 'info',
    text: 'Enough files can be opened again (ulimit -n): new devices are accepted',
    meaning: 'The lack of open files is over.',
  },
  queue_line_dropped: {
    level: 'warn',
    text: 'Job queue full, dropping message',
    everyMs: EVERY_MS,
    meaning:
      '`TCP_JOB_QUEUE_FULL=drop`: lines were answered `queue_full` and dropped, because the queue was full.',
    look: '`queue` in the statistics.',
    remedy:
      'Set `TCP_JOB_QUEUE_FULL=pause`, raise `TCP_JOB_QUEUE_SIZE`, or use more processes (`TCP_PROCESSES`).',
  },
  device_id_shared: {
    level: 'warn',
    text: 'Two connections identified with one device_id: the older one is closed, or the newer one if this happens too often. If they are two devices, give one of them another id',
    fields: { deviceId: 'text', from: 'text', to: 'text', refused: 'flag' },
    everyMs: EVERY_MS,
    meaning:
      'A device has connected again while its former connection was open, or two devices have one `device_id`.',
    remedy: 'Once: nothing. Again and again with two addresses: give one of the devices another `device_id`.',
  },
  protocol_wrong: {
    level: 'warn',
    text: 'Connection closed: another protocol came to the port of devices. Correct the address there, or close the port to it',
    fields: { protocol: 'text', remoteAddress: 'text' },
    everyMs: EVERY_MS,
    meaning:
      'A browser, a scanner, a health check or a proxy uses the port of devices. One line for each protocol.',
    remedy:
      'Correct the address at `remoteAddress`. For health checks use the admin port. Close the port to scanners.',
  },
  proxy_header_faulty: {
    level: 'warn',
    text: 'Connection of a trusted proxy closed because of its PROXY header. If that goes on, no device behind it gets through: look at its settings (send-proxy) and at TCP_PROXY_TRUSTED',
    fields: { reason: 'text', remoteAddress: 'text' },
    everyMs: EVERY_MS,
    meaning:
      'An address of `TCP_PROXY_TRUSTED` did not send the PROXY header that has to come first. One line for each reason.',
    remedy:
      'HAProxy: `send-proxy-v2` on the server line. nginx: `proxy_protocol on`. AWS: proxy protocol v2 on the target group.',
  },
  device_lines_refused: {
    level: 'warn',
    text: 'Connection closed: its lines were refused again and again. The dead letters and the replies say why',
    fields: { remoteAddress: 'text' },
    everyMs: EVERY_MS,
    meaning: 'A connection was closed with `too_many_errors`. Its refused lines are dead letters.',
    look: 'The topic of `KAFKA_TOPIC_DEAD_LETTERS`, or `LOG_LEVEL=debug` for the refused lines.',
    remedy: 'Correct the program of the device.',
  },
  memory_overloaded: {
    level: 'warn',
    text: 'Connection closed: TCP_BUFFER_BYTES are used up and it held most. Devices that confirm send again what is not stored',
    fields: { remoteAddress: 'text' },
    everyMs: EVERY_MS,
    meaning:
      'The memory for unfinished lines and unread replies is used up. Connections that hold most are closed with `overloaded`.',
    remedy:
      'Raise `TCP_BUFFER_BYTES`. If all come from few addresses, it may be an attack: see [security.md](security.md).',
  },
  tls_handshake_late: {
    level: 'warn',
    text: 'Connection closed: no TLS handshake in time. If many devices reconnect, they come back by themselves; see TCP_TLS_MAX_HANDSHAKES',
    fields: { reason: 'text', remoteAddress: 'text' },
    everyMs: EVERY_MS,
    meaning:
      'A connection to the TLS port made no handshake within `TCP_TLS_HANDSHAKE_TIMEOUT`, or was silent while others waited.',
    remedy:
      'Nothing after a restart. Else raise `TCP_TLS_HANDSHAKE_TIMEOUT` for slow links, or use more processes.',
  },
  tls_missing: {
    level: 'warn',
    text: 'Connection closed: a device spoke without TLS to TCP_TLS_PORT. Correct its port or its TLS settings',
    fields: { reason: 'text', remoteAddress: 'text' },
    everyMs: EVERY_MS,
    meaning: 'A device sends plain lines to the port with TLS. It was answered `tls_required`.',
    remedy: 'Correct the port of the device, or switch TLS on there.',
  },
  tls_certificate_refused: {
    level: 'warn',
    text: "Connection closed: the device's certificate is missing, expired, revoked, not signed by TCP_TLS_CA, or names no device_id",
    fields: { reason: 'text', remoteAddress: 'text' },
    everyMs: EVERY_MS,
    meaning: '`TCP_TLS_CA` is set, so each device needs a certificate, and this one has none that is valid.',
    look: '`openssl x509 -in CERT -noout -subject -issuer -dates` on the device, `date` on both.',
    remedy: 'Give the device a valid certificate.',
  },
  tls_handshake_failed: {
    level: 'warn',
    text: 'Connection closed: the TLS handshake failed. The device may lack TLS 1.2 and 1.3',
    fields: { reason: 'text', remoteAddress: 'text' },
    everyMs: EVERY_MS,
    meaning: 'Device and gateway have no version or cipher in common, or the bytes were no valid handshake.',
    look: '`openssl s_client -connect HOST:PORT` from the network of the device.',
    remedy: 'Update the TLS library of the device.',
  },
  tls_handshake_left: {
    level: 'warn',
    text: "Connection closed by the device during the TLS handshake. It may not trust the gateway's certificate",
    fields: { reason: 'text', remoteAddress: 'text' },
    everyMs: EVERY_MS,
    meaning: 'The device ended the connection before the handshake was complete.',
    look: '`openssl s_client -connect HOST:PORT -CAfile CA` from the network of the device.',
    remedy:
      'Give the device the certificate of the authority that signed `TCP_TLS_CERT`, and check the name in it.',
  },
  token_missing: {
    level: 'warn',
    text: 'Device refused: it sent no token, and TCP_TOKENS_FILE is set. Give it one (sluice token add)',
    fields: { reason: 'text', remoteAddress: 'text', deviceId: 'text?', name: 'text?' },
    everyMs: EVERY_MS,
    meaning: 'The device was answered `unauthorized`.',
    remedy: '`sluice token add NAME --devices DEVICE_ID`, and put the token into the device.',
  },
  token_unknown: {
    level: 'warn',
    text: 'Device refused: its token is not in TCP_TOKENS_FILE. It was revoked, or somebody is guessing tokens',
    fields: { reason: 'text', remoteAddress: 'text', deviceId: 'text?', name: 'text?' },
    everyMs: EVERY_MS,
    meaning: 'The device was answered `unauthorized`.',
    look: '`sluice token list`',
    remedy:
      'A device of yours: `sluice token add`, and put the new token into it. Else close the port to `remoteAddress`.',
  },
  token_of_other_device: {
    level: 'warn',
    text: 'Device refused: the token with this name does not cover its device_id. A device that sends none needs a token with *',
    fields: { reason: 'text', remoteAddress: 'text', deviceId: 'text?', name: 'text?' },
    everyMs: EVERY_MS,
    meaning: 'The device was answered `unauthorized`: its token `name` is for other devices than `deviceId`.',
    look: '`sluice token list`',
    remedy: 'Give the device a token that covers it, or correct its `device_id`.',
  },
  certificate_of_other_device: {
    level: 'warn',
    text: 'Device refused: it identified with another device_id than that of its certificate',
    fields: { reason: 'text', remoteAddress: 'text', deviceId: 'text?', name: 'text?' },
    everyMs: EVERY_MS,
    meaning:
      'The device was answered `unauthorized`: the certificate names one `device_id`, the device another.',
    remedy: 'Correct the `device_id` of the device, or give it its own certificate. See `TCP_TLS_DEVICE_ID`.',
  },
  sender_untrusted: {
    level: 'warn',
    text: 'Connection to TCP_LINES_PORT closed: its address is in none of the networks of TCP_LINES_TRUSTED',
    fields: { reason: 'text', remoteAddress: 'text', deviceId: 'text?', name: 'text?' },
    everyMs: EVERY_MS,
    meaning: 'A sender that may not write plain lines was closed before a byte of it was read.',
    remedy:
      'A sender of yours: add its network to `TCP_LINES_TRUSTED`. Else close the port to `remoteAddress`.',
  },
  octet_count_missing: {
    level: 'warn',
    text: 'Connection to TCP_LINES_PORT closed: no length and space before a frame, and TCP_LINES_FRAMING is octet-counted. The bytes are a dead letter',
    fields: { remoteAddress: 'text' },
    everyMs: EVERY_MS,
    meaning:
      'A sender did not write the length of its next frame, so nobody knows where frames begin. What it sends until it connects again is not read.',
    remedy: 'Set its framing to octet counting (RFC 6587), or `TCP_LINES_FRAMING=lf`.',
  },
  token_revoked: {
    level: 'warn',
    text: 'Connection closed: the token with this name was revoked, or no longer covers its device_id',
    fields: { reason: 'text', remoteAddress: 'text', deviceId: 'text?', name: 'text?' },
    everyMs: EVERY_MS,
    meaning: '`TCP_TOKENS_FILE` has changed, and no longer allows a connection that was open.',
    remedy: 'Nothing if it was intended. Else `sluice token add`.',
  },
} as const satisfies LineTable;
