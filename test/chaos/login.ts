// The login of the cluster that wants one, and how long a login lasts.

export const LOGIN = {
  KAFKA_SASL_MECHANISM: 'plain',
  KAFKA_SASL_USERNAME: 'sluice',
  KAFKA_SASL_PASSWORD: 'chaos-round',
};

/** kafkajs logs in again 10 s before that. */
export const LOGIN_LASTS_MS = 15_000;
