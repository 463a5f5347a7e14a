// Pushes the figures by OTLP every OTEL_METRIC_EXPORT_INTERVAL. This folder is loaded only if an endpoint is set. A
// receiver that is away or slow holds up nothing, and costs two lines in the log: when it fails, and when it is back.
import { hostname } from 'node:os';
import { OTLPMetricExporter as JsonExporter } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPMetricExporter as ProtobufExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import { parsePairs } from '../../config/kinds.ts';
import type { Settings } from '../../config/settings.ts';
import type { Log } from '../../log/log.ts';
import type { Snapshot } from '../snapshot.ts';
import { type ResourceAttributes, toResourceMetrics } from './convert.ts';

export interface OtlpPush {
  /** Pushes the last figures if the receiver takes them at once. */
  stop(): Promise<void>;
}

export interface OtlpPushParts {
  readonly url: string;
  readonly snapshot: () => Promise<Snapshot>;
  /** OTEL_EXPORTER_OTLP_HEADERS at present. */
  readonly headers: () => string | null;
  readonly log: Log;
}

/** For the last push. */
const STOP_MS = 500;
const SUCCESS = 0;

export function startOtlpPush(settings: Settings, { url, snapshot, headers, log }: OtlpPushParts): OtlpPush {
  const Exporter = settings.OTEL_EXPORTER_OTLP_PROTOCOL === 'http/json' ? JsonExporter : ProtobufExporter;
  const exporter = new Exporter({
    url,
    headers: () => Promise.resolve(parsePairs(headers() ?? '') ?? {}),
    timeoutMillis: settings.OTEL_EXPORTER_OTLP_TIMEOUT,
    // Pushes are rare, and a kept connection would mostly be closed by then.
    keepAlive: false,
  });
  const attributes: ResourceAttributes = {
    'service.name': settings.OTEL_SERVICE_NAME,
    'service.instance.id': hostname(),
    ...parsePairs(settings.OTEL_RESOURCE_ATTRIBUTES ?? ''),
  };
  let pushing: Promise<boolean> | undefined;
  let isFailing = false;

  const timer = setInterval(() => {
    pushing ??= push().finally(() => {
      pushing = undefined;
    });
  }, settings.OTEL_METRIC_EXPORT_INTERVAL);
  timer.unref();

  return {
    async stop() {
      clearInterval(timer);
      if (isFailing || pushing !== undefined) return;
      await Promise.race([push(), new Promise((resolve) => setTimeout(resolve, STOP_MS).unref())]);
    },
  };

  /** Never rejects. Resolves with true if the receiver took the figures. */
  async function push(): Promise<boolean> {
    const taken = await snapshot().catch(() => undefined);
    // There are no figures before the first process has started.
    if (taken === undefined) return false;
    const about = { ...attributes, 'service.version': taken.version };
    const error = await new Promise<Error | undefined>((resolve) => {
      exporter.export(toResourceMetrics(taken, about), ({ code, error }) =>
        resolve(code === SUCCESS ? undefined : (error ?? new Error('the receiver refused the figures'))),
      );
    }).catch((thrown: unknown) => thrown as Error);
    note(error);
    return error === undefined;
  }

  function note(error: Error | undefined): void {
    if (isFailing === (error !== undefined)) return;
    isFailing = error !== undefined;
    if (error === undefined) log.write('otlp_push_recovered', { url });
    else log.write('otlp_push_failed', { url, reason: error.message });
  }
}
