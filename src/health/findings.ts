// The table of all components and of the possible findings about each. docs/operations.md is generated from it. Which
// finding holds is decided in assess.ts; nothing here looks at a figure.
import type { Finding } from './component.ts';

interface About {
  readonly about: string;
  readonly findings: Readonly<Record<string, Finding>>;
}

const KAFKA_FINDINGS = {
  ok: { state: 'ok', meaning: 'Brokers answer, and every leader of the metrics topic is connected.' },
  connecting: {
    state: 'unknown',
    meaning:
      'The gateway has started and no broker has answered yet. Readings wait in memory, or in the spool if it takes longer.',
  },
  not_configured: {
    state: 'failed',
    meaning: '`KAFKA_BROKERS` is empty. Readings stay in the spool.',
    remedy: 'set KAFKA_BROKERS and start again',
  },
  login_refused: {
    state: 'failed',
    meaning:
      'A broker refuses the login. Readings wait in the spool. It is tried again less than once a second, so that the account is not locked.',
    look: 'the reason has the broker’s words; its own log has more',
    remedy:
      'check KAFKA_SASL_MECHANISM, and what it needs: KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD (a changed KAFKA_SASL_PASSWORD_FILE is read without a restart), the rights of the client of KAFKA_OAUTH_CLIENT_ID, or those of the AWS credentials',
  },
  no_token: {
    state: 'failed',
    meaning:
      'There is no token for the login to Kafka, so no broker is asked. Readings wait in the spool. The token is asked for again every few seconds. Connections that are open go on until their token ends.',
    look: 'the reason has the answer of the token endpoint, or why there is none; for AWS `aws sts get-caller-identity` on the machine of the gateway',
    remedy:
      'do what the reason says: it names the setting; the gateway goes on by itself once there is a token',
  },
  unreachable: {
    state: 'failed',
    meaning: 'No broker can be used. Readings wait in the spool, and nothing is dropped.',
    look: 'from the machine of the gateway: `nc -vz BROKER PORT` for each address in KAFKA_BROKERS',
    remedy:
      'see whether the brokers run, and whether KAFKA_BROKERS and the advertised.listeners of each broker can be reached from here; the gateway connects by itself',
  },
  unsupported: {
    state: 'failed',
    meaning:
      'The brokers are too old or too new: they speak no version of a request that Sluice speaks. Readings wait in the spool, and nothing is dropped.',
    look: 'the reason names each request, the versions of the broker and those of Sluice; docs/compatibility.md has the versions of Kafka that were run',
    remedy: 'the reason says which Kafka to use; the gateway connects by itself after an upgrade',
  },
  leaders_unreachable: {
    state: 'degraded',
    meaning:
      'Brokers answer, but the leaders of some partitions cannot be connected to. Readings of these partitions wait in the spool, the others flow.',
    look: 'the reason names each broker with its address',
    remedy: 'see whether these brokers run, and whether their advertised.listeners can be reached from here',
  },
  throttled: {
    state: 'degraded',
    meaning:
      'A quota of Kafka makes the gateway wait: batches wait in memory, and if it is full, devices are paused. Nothing is lost. Holds until 10 s have passed without a wait.',
    look: '`sluice_kafka_throttled_seconds_total`; `kafka-configs.sh --describe --entity-type clients` or `users` shows the quotas',
    remedy: 'raise the quota of the user or client id (kafka-configs.sh --alter)',
  },
} as const satisfies Readonly<Record<string, Finding>>;

const TOPIC_FINDINGS = {
  ok: { state: 'ok', meaning: 'Kafka takes the records of the topic.' },
  unknown: {
    state: 'unknown',
    meaning: 'Kafka cannot be asked about the topic now, see `kafka`. Records wait in the spool.',
  },
  unusable: {
    state: 'failed',
    meaning:
      'The topic is missing and cannot be created, or Kafka refuses to tell about it or to take records for it. Records wait in the spool.',
    look: '`kafka-topics.sh --describe --topic TOPIC` and `kafka-acls.sh --list --topic TOPIC`',
    remedy: 'the reason says what to do; records flow by themselves after that',
  },
  no_leader: {
    state: 'degraded',
    meaning:
      'Some partitions have no leader. Their records wait in the spool, those of other partitions flow. If no partition has one, the state is `failed`.',
    look: '`kafka-topics.sh --describe --unavailable-partitions`',
    remedy: 'bring the brokers of these partitions back',
  },
  fewer_partitions: {
    state: 'degraded',
    meaning:
      'One broker names fewer partitions than before, and no other one answers to confirm it. Records of the missing partitions wait, the others flow.',
    look: '`kafka-topics.sh --describe --topic TOPIC` on each broker',
    remedy: 'make another broker reachable from here',
  },
  held: {
    state: 'degraded',
    meaning:
      'Kafka refuses every record of some partitions, so the topic, the broker or a clock is at fault and not the records. They wait in the spool. If all partitions wait, the state is `failed`.',
    look: '`sluice_kafka_held_partitions`; `kafka.problems` in `/stats`',
    remedy: 'the reason says what to do; the partitions are tried again every few seconds',
  },
  failing: {
    state: 'degraded',
    meaning:
      'Kafka does not take the batches of some partitions. They wait in the spool and are sent again and again. If this holds for all partitions, the state is `failed`.',
    look: '`kafka.lastError` in `/stats`; the log of the brokers',
    remedy: 'the reason says why; often a broker is missing (NOT_ENOUGH_REPLICAS)',
  },
  waiting_topic: {
    state: 'degraded',
    meaning: 'Records of a topic that no setting names lie in the spool and cannot be sent.',
    look: '`sluice spool ls`',
    remedy: 'the reason says why; the topic has to take records again',
  },
} as const satisfies Readonly<Record<string, Finding>>;

const SPOOL_FINDINGS = {
  ok: {
    state: 'ok',
    meaning: 'The spool is empty, or holds only what lies within its limit and is being sent.',
  },
  full: {
    state: 'failed',
    meaning:
      'Records that Kafka does not take fill SPOOL_MAX_BYTES. New ones stay in memory; when it is full, devices are paused. Nothing is dropped. Holds until writes have succeeded for 5 s.',
    look: '`sluice spool ls`, `sluice_spool_bytes`',
    remedy: 'bring Kafka back; until then raise SPOOL_MAX_BYTES if the disk has room, and restart',
  },
  disk_full: {
    state: 'failed',
    meaning:
      'The disk of SPOOL_DIR has no space left. New records stay in memory; when it is full, devices are paused. Nothing is dropped.',
    look: '`df -h` on SPOOL_DIR',
    remedy: 'make space on the disk; writing goes on by itself within a second',
  },
  unwritable: {
    state: 'failed',
    meaning:
      'The disk refuses writes. New records stay in memory; when it is full, devices are paused. Nothing is dropped.',
    look: 'the reason has the error of the system; `dmesg`, `mount`, `ls -ld` on SPOOL_DIR',
    remedy: 'repair the disk or its rights; writing goes on by itself within a second',
  },
  unreadable: {
    state: 'degraded',
    meaning: 'Records on disk cannot be read or placed, so they are not sent. New ones are kept.',
    look: '`sluice spool verify`; `dmesg`',
    remedy: 'repair the disk; it is tried again all the time',
  },
  nearly_full: {
    state: 'degraded',
    meaning:
      'The spool has used four fifths of SPOOL_MAX_BYTES or of the space that its disk has for it, or one process has used four fifths of its share. When it is full, devices are paused. Holds until less than seven tenths are used.',
    look: '`sluice_spool_bytes`, `sluice_spool_disk_free_bytes`, `df -h` on SPOOL_DIR',
    remedy: 'bring Kafka back before it is full, or raise SPOOL_MAX_BYTES and make space',
  },
  growing: {
    state: 'degraded',
    meaning:
      'Kafka does not take records, so they gather on disk. The reason has the rate of the last minute and how long the space lasts at this rate.',
    look: '`sluice_spool_growth_bytes_per_second`',
    remedy: 'bring Kafka back, see `kafka` and the topics',
  },
  draining: {
    state: 'degraded',
    meaning: 'Kafka takes records again, and those on disk are being sent.',
    look: '`sluice_records{state="spooled"}` falls',
  },
} as const satisfies Readonly<Record<string, Finding>>;

const BUFFER_FINDINGS = {
  ok: { state: 'ok', meaning: 'Memory has room for unconfirmed records.' },
  full: {
    state: 'failed',
    meaning:
      'Unconfirmed records fill KAFKA_BUFFER_BYTES, less the room for one message, and nothing has left for 2 s: devices are paused. Nothing is dropped. Holds until records have left for 5 s. If one of several processes is full, its devices are paused, and the state is `failed` too.',
    look: '`sluice_kafka_buffer_bytes` against `sluice_kafka_buffer_capacity_bytes`, `sluice_connections_paused`',
    remedy: 'see `kafka`, the topics and `spool`: records leave memory when one of them takes records again',
  },
} as const satisfies Readonly<Record<string, Finding>>;

const QUEUE_FINDINGS = {
  ok: { state: 'ok', meaning: 'The job queue has room.' },
  full: {
    state: 'degraded',
    meaning:
      'Lines fill TCP_JOB_QUEUE_SIZE for 5 s or longer: more comes in than is handled, so devices are read more slowly. Nothing is dropped. Holds until there was room for 5 s.',
    look: '`sluice_queue_jobs`, `sluice_kafka_buffer_bytes`, `process_cpu_seconds_total`',
    remedy: 'see `buffer` first; if the CPU is used up, raise TCP_PROCESSES or add an instance',
  },
  dropping: {
    state: 'failed',
    meaning:
      'The job queue is full, and with TCP_JOB_QUEUE_FULL=drop further lines are answered `queue_full`.',
    look: '`sluice_refusals_total{code="queue_full"}`',
    remedy: 'as for a full queue; TCP_JOB_QUEUE_FULL=pause slows devices down instead',
  },
} as const satisfies Readonly<Record<string, Finding>>;

const CONNECTIONS_FINDINGS = {
  ok: { state: 'ok', meaning: 'New devices find a place.' },
  full: {
    state: 'degraded',
    meaning:
      'All places of TCP_MAX_CONNECTIONS are taken: new devices are answered `server_full`. Connected devices are served. Holds until a twentieth of the places is free.',
    look: '`sluice_connections`, `sluice_connections_refused_total`',
    remedy:
      'raise TCP_MAX_CONNECTIONS and `ulimit -n`, or add an instance; a cap by address (TCP_MAX_CONNECTIONS_PER_IP) keeps one peer from taking all places',
  },
  open_files: {
    state: 'degraded',
    meaning:
      'A process has run out of open files: new devices are turned away there, so that the spool has the rest. Connected devices are served.',
    look: '`ulimit -n`, `ls /proc/PID/fd | wc -l`',
    remedy: 'raise `ulimit -n` (LimitNOFILE of systemd), or lower TCP_MAX_CONNECTIONS',
  },
} as const satisfies Readonly<Record<string, Finding>>;

const PROCESSES_FINDINGS = {
  ok: { state: 'ok', meaning: 'All server processes run and answer.' },
  hung: {
    state: 'degraded',
    meaning:
      'A server process runs and has not answered for 2 s. Its devices wait and new ones go to the others. After 10 s it is killed and started again; what it had on disk is taken up.',
    look: '`sluice_processes_degraded`; `top` and `/proc/PID/status` of the pid in the reason',
    remedy:
      'nothing if it passes; if it happens again, look for a stopped process, a machine without memory, or a disk that hangs',
  },
  missing: {
    state: 'degraded',
    meaning:
      'A server process has crashed and is being started again. The others serve its devices when they come back.',
    look: '`sluice_process_restarts_total`; the log has the reason of the crash',
    remedy: 'nothing if it passes; a process that keeps crashing is a bug: report it with the log',
  },
  none: {
    state: 'failed',
    meaning: 'No server process answers, so no device is served.',
    look: 'the log; `sluice_processes`',
    remedy: 'they are started again by themselves; if this lasts, restart the gateway',
  },
  draining: {
    state: 'degraded',
    meaning: 'The gateway is being drained: it still serves, and asks not to get new devices.',
  },
  stopping: {
    state: 'failed',
    meaning: 'The gateway is stopping: it takes no new lines and finishes what it accepted.',
  },
} as const satisfies Readonly<Record<string, Finding>>;

const CERTIFICATES_FINDINGS = {
  ok: {
    state: 'ok',
    meaning: 'The certificates of the TLS port are valid for long enough, or there is no TLS port.',
  },
  expires_soon: {
    state: 'degraded',
    meaning:
      'The first certificate of a file expires in less than 30 days, or less than a quarter of its lifetime if that is shorter.',
    look: '`openssl x509 -enddate -noout -in FILE`, `sluice_tls_certificate_remaining_seconds`',
    remedy: 'renew it; the new file is read without a restart',
  },
  expired: {
    state: 'failed',
    meaning:
      'A certificate has expired. Devices that check it, or that this authority has signed, cannot connect.',
    look: '`openssl x509 -enddate -noout -in FILE`',
    remedy: 'renew it; the new file is read without a restart',
  },
} as const satisfies Readonly<Record<string, Finding>>;

const CLOCK_FINDINGS = {
  ok: { state: 'ok', meaning: 'The clock of the gateway agrees with that of the broker.' },
  unknown: {
    state: 'unknown',
    meaning:
      'Nothing tells the broker’s clock. It is known only from the answers of topics with `message.timestamp.type=LogAppendTime`.',
  },
  differs: {
    state: 'degraded',
    meaning:
      'The clocks of gateway and broker differ by more than 5 s, so `received_at` and the age of records are wrong by as much. If the gateway is ahead by more than message.timestamp.after.max.ms of the topic, Kafka refuses all records. Holds until they differ by less than 4 s.',
    look: '`timedatectl` or `chronyc tracking` on both machines; `sluice_clock_offset_seconds`',
    remedy: 'keep both clocks in step by NTP',
  },
} as const satisfies Readonly<Record<string, Finding>>;

const DEAD_LETTERS_FINDINGS = {
  ok: { state: 'ok', meaning: 'No dead letter waits, or they are being sent.' },
  waiting: {
    state: 'degraded',
    meaning: 'Dead letters wait on disk, because their topic does not take them. Readings are not affected.',
    look: '`sluice_dead_letters_waiting`, `sluice spool ls`',
    remedy: 'the reason says why; they are sent by themselves when Kafka takes them',
  },
  blocked: {
    state: 'failed',
    meaning:
      'Dead letters are neither taken by Kafka nor kept on disk. The partition of a refused record waits for its letter, and its readings wait in the spool.',
    look: '`deadLetters` in `/stats`',
    remedy: 'raise SPOOL_DEAD_BYTES, or make their topic take them',
  },
} as const satisfies Readonly<Record<string, Finding>>;

const PRESENCE_FINDINGS = {
  ok: { state: 'ok', meaning: 'Presence records are written, or none wait.' },
  waiting: {
    state: 'degraded',
    meaning:
      'The topic of presence does not take records. They wait on disk, in order. Readings are not affected.',
    look: '`sluice_presence_waiting`, `presence` in `/stats`',
    remedy: 'the reason says why; they are sent by themselves when Kafka takes them',
  },
  blocked: {
    state: 'failed',
    meaning:
      'Presence records are neither taken by Kafka nor kept on disk. Of each key the latest state is kept in memory; states of further keys are dropped. Readings are not affected.',
    look: '`presence` in `/stats`, `sluice_presence_dropped_total`',
    remedy: 'raise SPOOL_DEAD_BYTES, of which presence has an eighth, or make the topic take them',
  },
} as const satisfies Readonly<Record<string, Finding>>;

export const COMPONENTS = {
  kafka: { about: 'The brokers, the login and the leaders.', findings: KAFKA_FINDINGS },
  topic: {
    about: `One for the metrics topic, the dead letters’ topic and each other topic that the spool has records of. Their ids are \`topic NAME\`.`,
    findings: TOPIC_FINDINGS,
  },
  spool: { about: 'The records on disk (`SPOOL_DIR`).', findings: SPOOL_FINDINGS },
  buffer: { about: 'Unconfirmed records in memory (`KAFKA_BUFFER_BYTES`).', findings: BUFFER_FINDINGS },
  queue: { about: 'Lines that wait for a worker (`TCP_JOB_QUEUE_SIZE`).', findings: QUEUE_FINDINGS },
  connections: { about: 'Places for devices.', findings: CONNECTIONS_FINDINGS },
  processes: {
    about: 'The server processes (`TCP_PROCESSES`), and their start and stop.',
    findings: PROCESSES_FINDINGS,
  },
  certificates: { about: 'The certificates of `TCP_TLS_PORT`.', findings: CERTIFICATES_FINDINGS },
  clock: { about: 'The clock of the gateway against that of the broker.', findings: CLOCK_FINDINGS },
  dead_letters: {
    about: 'Refused lines and records that are kept for people.',
    findings: DEAD_LETTERS_FINDINGS,
  },
  presence: {
    about: 'The records of who is connected. Only if `KAFKA_TOPIC_PRESENCE` is set.',
    findings: PRESENCE_FINDINGS,
  },
} as const satisfies Readonly<Record<string, About>>;

export type ComponentName = keyof typeof COMPONENTS;
export type FindingOf<C extends ComponentName> = keyof (typeof COMPONENTS)[C]['findings'];
