// Finds the AWS region of an MSK cluster: a setting, or the names of the brokers.
import type { Settings } from './settings.ts';

/** Such as b-1.demo.abc123.c2.kafka.eu-west-1.amazonaws.com and boot-abc.c1.kafka-serverless.us-east-1.amazonaws.com. */
const MSK_NAME = /\.kafka(?:-serverless)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?:\d+$/;

/** Null if neither tells it. */
export function awsRegion({
  KAFKA_AWS_REGION: region,
  KAFKA_BROKERS: brokers,
}: Pick<Settings, 'KAFKA_AWS_REGION' | 'KAFKA_BROKERS'>): string | null {
  if (region !== null) return region;
  for (const broker of brokers) {
    const [, found] = MSK_NAME.exec(broker.toLowerCase()) ?? [];
    if (found !== undefined) return found;
  }
  return null;
}
