// Log lines of the start and of settings.
import type { LineTable } from '../line.ts';

export const START_LINES = {
  setting_warned: {
    level: 'warn',
    text: '{warning}',
    fields: { warning: 'words' },
    meaning: 'A setting is allowed and risky. The text names it, and says what may happen.',
    look: '`sluice --print-config` prints the settings in force.',
    remedy:
      'Change the setting that the text names, and restart. All settings: [configuration.md](configuration.md).',
  },
  foreign_names_passed: {
    level: 'info',
    text: 'Variables of other programs are passed over: {names}',
    fields: { names: 'texts' },
    meaning:
      'The environment or `.env` has variables of a Kafka broker or of a program that reads Kafka. They begin like settings of the gateway and are none.',
    look: '`docs/configuration.md`, "Names that are left alone".',
  },
  max_connections_lowered: {
    level: 'warn',
    text: 'TCP_MAX_CONNECTIONS lowered: the limit on open files (ulimit -n) allows no more; raise it to at least {needed} (LimitNOFILE of systemd, --ulimit of Docker), or lower TCP_MAX_CONNECTIONS',
    fields: { asked: 'count', maxConnections: 'count', limit: 'count', needed: 'number' },
    meaning:
      'Each connection needs an open file, and the system allows the process too few. The gateway runs, with room for `maxConnections` devices instead of `asked`. Devices beyond that are answered `server_full`.',
    look: '`ulimit -n`, or `grep "open files" /proc/PID/limits`.',
    remedy:
      'Raise the limit to `needed`: `LimitNOFILE=` in the systemd unit, `--ulimit nofile=N:N` for Docker. Then restart.',
  },
  server_processes_lowered: {
    level: 'warn',
    text: '{explanation}',
    fields: { explanation: 'words', asked: 'count', started: 'count', setting: 'text?' },
    meaning:
      'The memory or disk of `setting` is too small to be divided among `asked` server processes, so fewer run. All devices are served, by fewer cores.',
    remedy: 'Set what the text names and restart, or set `TCP_PROCESSES` to the number that is started.',
  },
  server_processes_chosen: {
    level: 'info',
    text: 'Server processes: {processes}, because {reason}',
    fields: { processes: 'count', reason: 'text' },
    meaning:
      'How many server processes handle devices. A CPU quota of a container or of a unit of systemd is rounded down: more busy processes than the quota has CPUs would stand still for a part of the time.',
  },
  memory_short: {
    level: 'warn',
    text: '{needBytes} of memory may be needed ({parts}), and {limit} {limitBytes}. Lower TCP_BUFFER_BYTES or KAFKA_BUFFER_BYTES, or allow more',
    fields: { needBytes: 'bytes', parts: 'words', limit: 'words', limitBytes: 'bytes', processes: 'count' },
    meaning:
      'If all buffers fill up, as they may in an outage, the kernel ends a process for lack of memory. What is in memory then and was not told `stored` is lost; devices that wait for `stored` send it again.',
    look: '`free -h`; `cat /sys/fs/cgroup/memory.max` in a container',
    remedy:
      'Set `TCP_BUFFER_BYTES` and `KAFKA_BUFFER_BYTES` so that their sum fits, or raise the limit (`MemoryMax=` of systemd, `--memory` of Docker, `resources.limits.memory` of Kubernetes).',
  },
  tokens_file_empty: {
    level: 'warn',
    text: 'TCP_TOKENS_FILE has no token, so no device can identify. Add one with: sluice token add NAME',
    meaning:
      'With `TCP_TOKENS_FILE` each device needs a token, and the file has none: every identify is answered `unauthorized`.',
    remedy:
      '`sluice token add NAME --devices DEVICE_ID`. The file is read again within seconds, without a restart.',
  },
  clock_implausible: {
    level: 'warn',
    text: 'The clock of this machine says {now}, but {file} was last written at {written}: the clock is wrong, or was when the file was written',
    fields: { now: 'text', file: 'text', written: 'text' },
    meaning:
      'Records get the time of this clock. If it is wrong, so are `received_at` and the time of the records, and Kafka may refuse them or delete them early.',
    look: '`date -u`, `timedatectl`',
    remedy:
      'Keep the clock right by NTP: `timedatectl set-ntp true`, or chrony. If the clock is right, `touch` the file.',
  },
  kafka_brokers_empty: {
    level: 'warn',
    once: true,
    text: 'KAFKA_BROKERS is empty: records stay in the spool until brokers are configured',
    meaning: 'The gateway runs without Kafka. Records are accepted and wait on disk until the spool is full.',
    remedy: 'Set `KAFKA_BROKERS` and restart. For a local try, in a checkout: `npm run kafka`.',
  },
  producer_initialized: {
    level: 'info',
    once: true,
    text: 'Kafka producer initialized (batch={batchSize}, compression={compression}, async={async})',
    fields: { batchSize: 'number', compression: 'text', async: 'flag' },
    meaning: 'The settings that batches are made with. It does not say that Kafka is reachable.',
  },
  server_processes_starting: {
    level: 'info',
    text: 'Starting {processes} server processes',
    fields: { processes: 'count' },
    meaning: 'The first process starts this many server processes, which share the ports of devices.',
  },
  workers_starting: {
    level: 'info',
    once: true,
    text: 'Starting TCP server with worker pool ({workers} workers, queue size {queueSize})',
    fields: { workers: 'number', queueSize: 'number' },
    meaning:
      'In each server process, lines of devices are handled by this many workers, from a queue with this much room.',
  },
  workers_started: {
    level: 'info',
    once: true,
    text: 'Started {workers} workers',
    fields: { workers: 'number' },
    meaning: 'The workers of each server process wait for lines.',
  },
  serial_server_starting: {
    level: 'info',
    once: true,
    text: 'Starting TCP server without worker pool (one message at a time from each connection)',
    meaning: '`TCP_USE_WORKER_POOL=false`: each connection has one message handled at a time.',
  },
  tcp_listening: {
    level: 'info',
    text: 'TCP server listening on {address}',
    fields: { address: 'text', pids: 'numbers?' },
    meaning: 'Devices can connect without TLS. `pids` are the server processes, if there are several.',
  },
  tls_listening: {
    level: 'info',
    text: 'TCP server listening on {address} with TLS',
    fields: { address: 'text', pids: 'numbers?' },
    meaning: 'Devices can connect with TLS. `pids` are the server processes, if there are several.',
  },
  lines_listening: {
    level: 'info',
    text: 'TCP server listening on {address} for plain lines',
    fields: { address: 'text', pids: 'numbers?' },
    meaning: 'Senders of plain lines can connect. `pids` are the server processes, if there are several.',
  },
  start_failed: {
    level: 'fatal',
    text: '{explanation}',
    fields: { explanation: 'words', code: 'text?' },
    meaning:
      'The gateway could not start and has ended: with exit code 78 if only a person can change the reason, else 1 ([exit codes](configuration.md#exit-codes)). No device was served. What earlier runs left in the spool is untouched.',
    remedy: 'Do what the text says, then start again.',
  },
} as const satisfies LineTable;
