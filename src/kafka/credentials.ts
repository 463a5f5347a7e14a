// The login and the certificates for Kafka, as they are in the files now, or as a token endpoint gives them. They count
// for new connections: a broker asks for them once, so connections that are open stay.
import type { SecureContext } from 'node:tls';
import { awsRegion } from '../config/aws-region.ts';
import { secretFilesAmong } from '../config/exposed-files.ts';
import { kafkaTlsContext, kafkaTlsFiles } from '../config/kafka-tls.ts';
import { parsePairs } from '../config/kinds.ts';
import type { Settings } from '../config/settings.ts';
import type { FileWatch } from '../files/file-watch.ts';
import { watchSecret } from '../files/watched-secret.ts';
import type { Log } from '../log/log.ts';
import { ClusterError } from './client/cluster-error.ts';
import type { Credentials, SaslOptions, TokenLogin } from './client/kafkajs.ts';
import { mskIamToken } from './login/msk-iam.ts';
import { TokenEndpoint } from './login/token-endpoint.ts';
import { type Token, TokenSource } from './login/token-source.ts';

interface Parts {
  readonly files: FileWatch;
  readonly log: Log;
}

/** Returns a function for KafkaClientOptions.credentials. */
export function watchCredentials(settings: Settings, parts: Parts): () => Credentials {
  const ssl = watchTls(settings, parts.files);
  const sasl = watchLogin(settings, parts);
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

function watchLogin(settings: Settings, parts: Parts): () => SaslOptions | undefined {
  switch (settings.KAFKA_SASL_MECHANISM) {
    case null:
      return () => undefined;
    case 'oauthbearer':
      return watchClient(settings, parts);
    case 'aws-msk-iam':
      return signedByAws(settings, parts);
    case 'plain':
    case 'scram-sha-256':
    case 'scram-sha-512':
      return watchPassword(settings, settings.KAFKA_SASL_MECHANISM, parts);
  }
}

function watchPassword(
  settings: Settings,
  mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512',
  { files }: Parts,
): () => SaslOptions {
  const secret = watchSecret('KAFKA_SASL_PASSWORD', { settings, files });
  const username = settings.KAFKA_SASL_USERNAME ?? '';
  let login = { mechanism, username, password: secret.value ?? '' };
  return () => {
    const password = secret.value ?? '';
    if (login.password !== password) login = { mechanism, username, password };
    return login;
  };
}

function watchClient(settings: Settings, { files, log }: Parts): () => SaslOptions {
  const watched = watchSecret('KAFKA_OAUTH_CLIENT_SECRET', { settings, files });
  const newLogin = () => {
    const endpoint = new TokenEndpoint({
      url: settings.KAFKA_OAUTH_TOKEN_URL ?? '',
      clientId: settings.KAFKA_OAUTH_CLIENT_ID ?? '',
      clientSecret: watched.value ?? '',
      scope: settings.KAFKA_OAUTH_SCOPE,
      audience: settings.KAFKA_OAUTH_AUDIENCE,
      ca: settings.KAFKA_OAUTH_CA,
    });
    const extensions = parsePairs(settings.KAFKA_OAUTH_EXTENSIONS ?? '') ?? {};
    const from = 'of KAFKA_OAUTH_TOKEN_URL for the client of KAFKA_OAUTH_CLIENT_ID';
    return tokenLogin(() => endpoint.token(), { from, extensions, log });
  };
  let secret = watched.value;
  let login = newLogin();
  return () => {
    // A token that the former secret brought may be valid still. Whoever changes the secret wants to see it work.
    if (secret !== watched.value) {
      secret = watched.value;
      login = newLogin();
    }
    return login;
  };
}

function signedByAws(settings: Settings, { log }: Parts): () => SaslOptions {
  const region = awsRegion(settings) ?? '';
  const from = `that AWS credentials have signed for ${region}`;
  const login = tokenLogin(() => mskIamToken(region), { from, extensions: {}, log });
  return () => login;
}

function tokenLogin(
  request: () => Promise<Token>,
  { log, ...about }: Pick<TokenLogin, 'from' | 'extensions'> & Pick<Parts, 'log'>,
): TokenLogin {
  const lines = log.limited();
  const source = new TokenSource({
    request,
    notRenewed: ({ message: reason }, remainingMs) =>
      lines.write('login_token_not_renewed', { reason, remainingMs: Math.round(remainingMs) }),
  });
  return {
    mechanism: 'oauthbearer',
    ...about,
    token: () => source.token(),
    refused: (token) => source.refused(token),
  };
}
