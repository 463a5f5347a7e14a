// Log lines of the admin port, the statistics and the log itself.
import type { LineTable } from '../line.ts';

export const ADMIN_LINES = {
  admin_listening: {
    level: 'info',
    text: 'Admin HTTP listening on {address}',
    fields: { address: 'text' },
    meaning: '`/healthz`, `/readyz`, `/health`, `/metrics` and `/stats` are served there.',
  },
  admin_listening_without_token: {
    level: 'info',
    text: 'Admin HTTP listening on {address}; it serves only /healthz, /readyz, /health and /metrics, because HTTP_TOKEN is not set',
    fields: { address: 'text' },
    meaning:
      'The admin port is open to other machines. Without `HTTP_TOKEN` it serves only what needs no token.',
    remedy: 'For `/stats` from elsewhere set `HTTP_TOKEN`, or bind `HTTP_HOST` to loopback.',
  },
  statistics: {
    level: 'info',
    text: '{summary}',
    fields: { summary: 'words', stats: 'object' },
    meaning:
      'The figures since the start, and rates since the line before. In JSON they are in `stats`. Each figure is explained in [metrics.md](metrics.md).',
  },
  admin_request_failed: {
    level: 'error',
    text: 'Admin HTTP failed',
    fields: { err: 'error' },
    everyMs: 60_000,
    meaning:
      'A request to the admin port failed because of a bug or a lack of memory. Devices are not affected.',
    remedy: 'Report the line with its stack.',
  },
  question_failed: {
    level: 'error',
    text: 'The question {question} of the admin port could not be answered',
    fields: { question: 'text', err: 'error' },
    everyMs: 60_000,
    meaning:
      'A page of the admin port lacks what this process knows, because of a bug or a lack of memory. Devices are not affected.',
    remedy: 'Report the line with its stack.',
  },
  admin_host_refused: {
    level: 'warn',
    text: 'Admin HTTP refused requests because of their Host. If the name is right, add it to HTTP_ALLOWED_HOSTS',
    fields: { host: 'text', target: 'text?', remoteAddress: 'text?' },
    everyMs: 60_000,
    meaning:
      'Requests to the admin port came under a name that it does not serve. They were answered with 403.',
    remedy:
      'If `host` is a name of this machine, add it to `HTTP_ALLOWED_HOSTS` and restart. Else somebody tries DNS rebinding: nothing to do.',
  },
  admin_origin_refused: {
    level: 'warn',
    text: 'Admin HTTP refused requests of a web page because of their Origin',
    fields: { origin: 'text', remoteAddress: 'text?' },
    everyMs: 60_000,
    meaning: 'A web page of another site sent requests to the admin port. They were answered with 403.',
    remedy: 'If `origin` is a page of yours, add its name to `HTTP_ALLOWED_HOSTS` and restart.',
  },
  admin_token_not_set: {
    level: 'warn',
    text: 'Admin HTTP refused requests because HTTP_TOKEN is not set: without it nothing can be changed, and beyond loopback little can be read',
    fields: { remoteAddress: 'text?' },
    everyMs: 60_000,
    meaning: 'Requests came that need `HTTP_TOKEN`, which is not set.',
    remedy:
      'Set `HTTP_TOKEN`, restart, and send `Authorization: Bearer TOKEN`; or, if they only read, bind `HTTP_HOST` to 127.0.0.1.',
  },
  admin_token_wrong: {
    level: 'warn',
    text: 'Admin HTTP refused requests with a wrong token',
    fields: { remoteAddress: 'text?' },
    everyMs: 60_000,
    meaning: 'Somebody sent another token than `HTTP_TOKEN`: a program with an old token, or a guess.',
    remedy:
      'Correct the token of the program at `remoteAddress`. If none of yours is there, close the port to it.',
  },
  admin_token_rate_exceeded: {
    level: 'warn',
    text: 'Admin HTTP refused requests because too many wrong tokens came from their address',
    fields: { remoteAddress: 'text?' },
    everyMs: 60_000,
    meaning: 'After ten wrong tokens an address has to wait, also with the right one.',
    remedy:
      'Correct the token of the program at `remoteAddress`, and wait a minute. If none of yours is there, close the port to it.',
  },
  admin_logged_in: {
    level: 'info',
    text: 'Somebody logged in to the admin port from {remoteAddress}',
    fields: { remoteAddress: 'text?' },
    meaning: 'A browser sent `HTTP_TOKEN` and got a cookie, which counts as the token for 12 hours.',
    remedy: 'Nothing if you know who it was. Else change `HTTP_TOKEN`: that ends all logins.',
  },
  drain_asked: {
    level: 'warn',
    text: 'POST /drain from {remoteAddress}: the gateway drains, then it stops',
    fields: { remoteAddress: 'text?' },
    meaning:
      'Somebody with `HTTP_TOKEN` asked for the drain. It goes as after SIGTERM. A warning, so that it is in the log at most levels.',
    remedy: 'Nothing if you know who asked. Else change `HTTP_TOKEN`.',
  },
  connections_kicked: {
    level: 'warn',
    text: 'POST /kick from {remoteAddress}: connections told to go: {kicked}',
    fields: {
      kicked: 'count',
      connectionId: 'text?',
      deviceId: 'text?',
      address: 'text?',
      missing: 'numbers',
      reconnectAfterMs: 'ms?',
      remoteAddress: 'text?',
    },
    meaning:
      'Somebody with `HTTP_TOKEN` had connections closed with code `kicked`: that with `connectionId`, or those of `deviceId` or `address`. `missing` are server processes that did not answer in 2 s; connections there may be closed too. A warning, so that it is in the log at most levels.',
    remedy: 'Nothing if you know who asked. Else change `HTTP_TOKEN`.',
  },
  profile_begun: {
    level: 'warn',
    text: 'POST /profile from {remoteAddress}: a {kind} profile of process {process} is taken',
    fields: { kind: 'text', process: 'text', seconds: 'count?', remoteAddress: 'text?' },
    meaning:
      'Somebody with `HTTP_TOKEN` has a process profiled (`HTTP_PROFILING`). For a `heap` profile the process stands still for seconds, and the file holds its secrets. `first` is the first of several processes.',
    remedy: 'Nothing if you know who asked. Else change `HTTP_TOKEN`, and every secret of the gateway.',
  },
  log_level_changed: {
    level: 'warn',
    text: '{by}: the log level is {logLevel} now, and was {before}',
    fields: { by: 'text', logLevel: 'text', before: 'text', remoteAddress: 'text?' },
    meaning:
      'The level counts for all processes, until the next start or change. `by` is the request or the signal, `remoteAddress` the address of the request.',
    remedy: 'Nothing if you know who asked. Else change `HTTP_TOKEN`.',
  },
  otlp_push_started: {
    level: 'info',
    text: 'Figures are pushed by OTLP to {url}',
    fields: { url: 'text' },
    meaning: 'An endpoint of OpenTelemetry is set, and gets the figures of `/metrics`.',
  },
  otlp_push_failed: {
    level: 'warn',
    text: 'Figures cannot be pushed by OTLP to {url}: {reason}. The push is tried on; devices and records are not affected',
    fields: { url: 'text', reason: 'text' },
    meaning:
      'The receiver of OpenTelemetry did not take the figures. This is said once until it does; `/metrics` has the figures meanwhile.',
    remedy:
      'Check `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_HEADERS` and the receiver. It has to take OTLP over HTTP, as a rule on port 4318.',
  },
  otlp_push_recovered: {
    level: 'info',
    text: 'Figures are pushed by OTLP again to {url}',
    fields: { url: 'text' },
    meaning: 'The receiver takes figures again. All are totals, so none is missing from now on.',
  },
  otlp_packages_missing: {
    level: 'error',
    text: 'Figures are not pushed by OTLP, because its packages cannot be loaded',
    fields: { err: 'error' },
    meaning: 'The packages of OpenTelemetry are not installed, or do not fit this version of Node.',
    remedy: 'Install Sluice again (in a checkout: `npm ci`), and restart.',
  },
  log_lines_lost: {
    level: 'warn',
    text: '{lost} log lines were lost because standard output was not read',
    fields: { lost: 'count' },
    meaning:
      'The reader of the log stood still, and 1 MiB of lines was waiting. The gateway did not wait for it.',
    remedy:
      'Look at the program that reads the log (`journalctl`, Docker, a pipe), and at the disk that it writes to.',
  },
} as const satisfies LineTable;
