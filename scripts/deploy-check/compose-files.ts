// The Compose files, the .env files beside them, and the variables that they know beside the settings.

export const COMPOSE_FILES = ['docker-compose.yml', 'docker-compose.gateway.yml', 'docker-compose.kafka.yml'];
export const ENV_FILES = ['.env.local', '.env.lan', '.env.wan'];

/** Settings that the gateways do not get as they are given: fixed in the container, or completed. */
export const FIXED = [
  'TCP_HOST',
  'TCP_PROXY_PROTOCOL',
  'TCP_PROXY_TRUSTED',
  'SPOOL_DIR',
  'HTTP_HOST',
  'HTTP_PORT',
  'HTTP_ALLOWED_HOSTS',
];

/** Variables that only the Compose files know. */
export const OWN_VARIABLES: Readonly<Record<string, string>> = {
  DEVICES_ADDRESS: 'address of this machine on which devices are served',
  DEVICES_KEEPALIVE: 'idle time after which HAProxy probes a device',
  EDGE_RANGE: 'addresses of all others in the network of HAProxy and the gateways',
  EDGE_SUBNET: 'network of HAProxy and the gateways',
  HAPROXY_ADDRESS: 'address of HAProxy in it, outside of EDGE_RANGE',
  HAPROXY_MAXCONN: 'most connections at each port of HAProxy',
  KAFKA_ADVERTISED_HOST: 'name or address under which gateways reach the host of docker-compose.kafka.yml',
  KAFKA_LISTENER_ADDRESS: 'address of that host on which Kafka is served',
  LOAD_CONNECTIONS: 'devices of the load',
  LOAD_DURATION: 'how long the load lasts',
  LOAD_RATE: 'messages a second of the load',
  SLUICE_2_ADMIN_PORT: 'admin port of the second gateway on this machine',
  SLUICE_FILES: 'directory that the gateways see as /etc/sluice',
  SLUICE_IMAGE: 'image of the gateways',
  STOP_GRACE_PERIOD: 'how long Compose waits for a gateway to stop',
};

/** Variables without which the file is refused, with examples. */
export const REQUIRED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'docker-compose.gateway.yml': { KAFKA_BROKERS: '10.0.0.5:9094' },
  'docker-compose.kafka.yml': { KAFKA_ADVERTISED_HOST: '10.0.0.5' },
};
