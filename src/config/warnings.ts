// Warns of settings that are allowed but risky. It reads valid settings only.
import { linesWarnings } from './lines-checks.ts';
import { loginWarnings } from './login-checks.ts';
import type { Settings } from './settings.ts';

const MIN_TOKEN_CHARACTERS = 16;
/** Also in the clouds of China and of the US government. */
const EVENT_HUBS = /\.servicebus\.(?:windows\.net|chinacloudapi\.cn|usgovcloudapi\.net):\d+$/i;

export function settingWarnings(settings: Settings): string[] {
  const warnings: string[] = [];
  if (settings.KAFKA_REQUIRED_ACKS !== -1) {
    warnings.push(
      `KAFKA_REQUIRED_ACKS=${settings.KAFKA_REQUIRED_ACKS} can lose data: ` +
        (settings.KAFKA_REQUIRED_ACKS === 1
          ? 'records that only the leader holds are gone if it fails'
          : 'nobody confirms that a record arrived'),
    );
  }
  warnings.push(...loginWarnings(settings));
  if (settings.HTTP_TOKEN !== null && settings.HTTP_TOKEN.length < MIN_TOKEN_CHARACTERS) {
    warnings.push(
      `HTTP_TOKEN has fewer than ${MIN_TOKEN_CHARACTERS} characters and can be guessed; make one with: openssl rand -hex 32`,
    );
  }
  if (settings.TCP_TLS_CA !== null && settings.TCP_PORT !== null && settings.TCP_TOKENS_FILE === null) {
    warnings.push(
      'TCP_TLS_CA asks for certificates on TCP_TLS_PORT only: a device on TCP_PORT needs none, and may use any device_id. ' +
        'Set TCP_PORT= (empty) once no device needs it, or TCP_TOKENS_FILE',
    );
  }
  warnings.push(
    ...linesWarnings(settings),
    ...proxyWarnings(settings),
    ...eventHubsWarnings(settings),
    ...keyWarnings(settings),
  );
  return warnings;
}

/** Every batch would be refused. The tier of the namespace, which decides about gzip, is not in the name. */
function eventHubsWarnings({ KAFKA_BROKERS: brokers, KAFKA_COMPRESSION: codec }: Settings): string[] {
  const isEventHubs = brokers.some((broker) => EVENT_HUBS.test(broker));
  if (!isEventHubs || codec === 'gzip' || codec === 'none') return [];
  return [
    `KAFKA_COMPRESSION=${codec} is refused by Azure Event Hubs; set gzip, or none below the Premium tier`,
  ];
}

/** Such devices are served, and their records are spread by connection. */
function keyWarnings({ KAFKA_KEY: key, TCP_IDENTIFY: required }: Settings): string[] {
  if (required.includes(key)) return [];
  return [
    `KAFKA_KEY=${key} is not among TCP_IDENTIFY=${required.join()}, so devices may leave it out: the key of their records is then the connection's id; add ${key} to TCP_IDENTIFY`,
  ];
}

function proxyWarnings({ TCP_PROXY_PROTOCOL: isOn, TCP_PROXY_TRUSTED: trusted }: Settings): string[] {
  if (trusted.length === 0) return [];
  if (!isOn)
    return ['TCP_PROXY_TRUSTED is set, but TCP_PROXY_PROTOCOL is off, so every PROXY header is refused'];
  const everybody = trusted.filter((network) => /\/0+$/.test(network));
  if (everybody.length === 0) return [];
  return [
    `TCP_PROXY_TRUSTED=${everybody.join()} lets every peer name any address as its own, so caps and rates by address protect nothing`,
  ];
}
