// The groups of settings, in the order in which the docs and --help show them. It imports nothing, as --help needs no more.
export const GROUPS = {
  tcp: 'Devices (TCP)',
  lines: 'Plain lines',
  work: 'Queue and workers',
  security: 'Access for devices',
  kafka: 'Kafka: where and what',
  batch: 'Kafka: batches and delivery',
  auth: 'Kafka: encryption and login',
  spool: 'Spool',
  http: 'Admin HTTP',
  otlp: 'Figures by OTLP',
  process: 'Process and log',
} as const;
