// The login and the certificates for Kafka, as they are in the files now. They count for new connections: a broker asks
// for them once, so connections that are open stay.
import type { SecureContext } from 'node:tls';
import { secretFilesAmong } from '../config/exposed-files.ts';
import { kafkaTlsContext, kafkaTlsFiles } from '../config/kafka-tls.ts';
import type { Settings } from '../config/settings.ts';
import type { FileWatch } from '../files/file-watch.ts';
import { watchSecret } from '../files/watched-secret.ts';
import { ClusterError } from './client/cluster-error.ts';
import type { Credentials, SaslOptions } from './client/kafkajs.ts';

/** Returns a function for KafkaClientOptions.credentials. */
export function watchCredentials(settings: Settings, files: FileWatch): () => Credentials {
  const ssl = watchTls(settings, files);
  const sasl = watchLogin(settings, files);
  return () => ({ ssl: ssl(), sasl: sasl() });
}

function watchTls(settings: Settings, files: FileWatch): () => Credentials['ssl'] {
  if (!settings.KAFKA_SSL) return () => undefined;
  const named = kafkaTlsFiles(settings);
  if (named.length === 0) {
    const secureContext = kafkaTlsContext(new Map());
    return () => ({ secureContext });
  }
  const watched = files.watch<SecureContext | null>({
    name: named.map(({ name }) => name).join(', '),
    paths: named.map(({ path }) => path),
    secrets: secretFilesAmong(named),
    parse: (...contents) =>
      kafkaTlsContext(new Map(named.map(({ name }, i) => [name, contents[i] ?? Buffer.alloc(0)]))),
    // A server process that starts again while the files are broken waits until they are valid.
    fallback: null,
  });
  return () => {
    const { value: secureContext, failure } = watched;
    if (secureContext === null)
      throw new ClusterError('UNREACHABLE', `there is no valid certificate for Kafka: ${failure}`);
    return { secureContext };
  };
}

function watchLogin(settings: Settings, files: FileWatch): () => SaslOptions | undefined {
  const { KAFKA_SASL_MECHANISM: mechanism, KAFKA_SASL_USERNAME: username } = settings;
  if (mechanism === null || username === null || settings.KAFKA_SASL_PASSWORD === null)
    return () => undefined;
  const secret = watchSecret('KAFKA_SASL_PASSWORD', { settings, files });
  let login: SaslOptions | undefined;
  return () => {
    const password = secret.value ?? '';
    if (login?.password !== password) login = { mechanism, username, password };
    return login;
  };
}
