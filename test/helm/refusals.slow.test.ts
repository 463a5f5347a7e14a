// Wrong values are refused before anything reaches a cluster, and Helm says which value and why.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { template } from '../../scripts/deploy-check/chart.ts';
import { helmFor } from './support.ts';

const BROKERS = 'settings.KAFKA_BROKERS=kafka:9092';

const WRONG: readonly [set: readonly string[], says: RegExp][] = [
  [[], /settings\.KAFKA_BROKERS is not set/],
  [[BROKERS, 'settings.KAFKA_BROKER=kafka:9092'], /at '\/settings'.*'KAFKA_BROKER' not allowed/],
  [[BROKERS, 'settings.KAFKA_SASL_PASSWORD=x'], /'KAFKA_SASL_PASSWORD' not allowed/],
  [[BROKERS, 'settings.SPOOL_DIR=/tmp'], /'SPOOL_DIR' not allowed/],
  [[BROKERS, 'replicas=3'], /additional properties 'replicas' not allowed/],
  [[BROKERS, 'settings.SHUTDOWN_DRAIN=10'], /'\/settings\/SHUTDOWN_DRAIN'/],
  [[BROKERS, 'settings.SHUTDOWN_DRAIN=10 s'], /'\/settings\/SHUTDOWN_DRAIN'/],
  [[BROKERS, 'settings.SHUTDOWN_DRAIN=-5s'], /'\/settings\/SHUTDOWN_DRAIN'/],
  [
    [BROKERS, 'settings.SHUTDOWN_DRAIN=2h'],
    /SHUTDOWN_DRAIN is 2h; allowed: 0 \(off\) or a duration from 100ms to 1h/,
  ],
  [[BROKERS, 'settings.SHUTDOWN_TIMEOUT=0'], /SHUTDOWN_TIMEOUT is 0; allowed: a duration from 100ms/],
  [[BROKERS, 'settings.KAFKA_BUFFER_BYTES=1MiB'], /KAFKA_BUFFER_BYTES is 1MiB; allowed: a size from 4MiB/],
  [[BROKERS, 'files=null'], /missing property 'files'/],
  [[BROKERS, 'settings.SPOOL_MAX_BYTES=10G'], /'\/settings\/SPOOL_MAX_BYTES'/],
  [[BROKERS, 'settings.TCP_PORT=80'], /'\/settings\/TCP_PORT'/],
  [[BROKERS, 'settings.HTTP_HOST=127.0.0.1'], /'\/settings\/HTTP_HOST'/],
  [[BROKERS, 'settings.HTTP_PORT='], /'\/settings\/HTTP_PORT'/],
  [[BROKERS, 'settings.KAFKA_COMPRESSION=brotli'], /'\/settings\/KAFKA_COMPRESSION'/],
  [[BROKERS, 'settings.KAFKA_NUM_PARTITIONS=0'], /'\/settings\/KAFKA_NUM_PARTITIONS'/],
  [[BROKERS, 'settings.KAFKA_SSL=maybe'], /'\/settings\/KAFKA_SSL'/],
  [[BROKERS, 'settings.TCP_PORT='], /are all empty, so no device could connect/],
  [[BROKERS, 'settings.TCP_PORT=9108'], /port 9108 is used twice/],
  [[BROKERS, 'settings.TCP_TLS_PORT=8443'], /there is no certificate/],
  [[BROKERS, 'files.HTTP_TOKEN.key=token'], /'\/files\/HTTP_TOKEN'/],
  [[BROKERS, 'files.KAFKA_PASSWORD.secret=a', 'files.KAFKA_PASSWORD.key=b'], /'KAFKA_PASSWORD' not allowed/],
  [[BROKERS, 'tls.secretName=a', 'files.TCP_TLS_KEY.secret=a', 'files.TCP_TLS_KEY.key=b'], /also in `files`/],
  [[BROKERS, 'extraEnv[0].name=KAFKA_TOPIC', 'extraEnv[0].value=x'], /KAFKA_TOPIC, which is not a setting/],
  [[BROKERS, 'extraEnv[0].name=LOG_LEVEL', 'extraEnv[0].value=info'], /Put it into `settings`/],
  [[BROKERS, 'extraEnv[0].name=HTTP_TOKEN', 'extraEnv[0].value=x'], /Put it into `files`/],
  [
    [BROKERS, 'extraEnv[0].name=SHUTDOWN_TIMEOUT', 'extraEnv[0].valueFrom.secretKeyRef.name=a'],
    /The chart has to know it/,
  ],
  [[BROKERS, 'terminationGracePeriodSeconds=30'], /a stop takes up to 45 s/],
  [
    [BROKERS, 'terminationGracePeriodSeconds=60', 'settings.PROFILE=wan'],
    /a stop takes up to 65 s.*PROFILE included.*at least 70/,
  ],
  [[BROKERS, 'clientAddress=proxy'], /TCP_PROXY_TRUSTED is not set/],
  [[BROKERS, 'persistence.size=1Gi'], /need 1088 MiB together/],
  [[BROKERS, 'persistence.size=1Gi', 'settings.SPOOL_MAX_BYTES=1.5GiB'], /need 1600 MiB together/],
  [[BROKERS, 'persistence.size=lots'], /'\/persistence\/size'/],
  [
    [BROKERS, 'autoscaling.enabled=true', 'autoscaling.targetCPUUtilizationPercentage=null'],
    /nothing to go by/,
  ],
  [[BROKERS, 'autoscaling.enabled=true', 'autoscaling.maxReplicas=1'], /which is less/],
  [[BROKERS, 'autoscaling.enabled=true', 'resources.requests=null'], /resources\.requests\.cpu is not set/],
  [[BROKERS, 'metrics.serviceMonitor.enabled=true', 'metrics.podMonitor.enabled=true'], /counted twice/],
  [[BROKERS, 'podDisruptionBudget.minAvailable=1'], /needs one of maxUnavailable and minAvailable/],
  [[BROKERS, 'orphans.drainTimeout=soon'], /'\/orphans\/drainTimeout'/],
  [[BROKERS, 'service.ports=null'], /'\/service': missing property 'ports'/],
  [[BROKERS, 'metrics.rules=null'], /'\/metrics': missing property 'rules'/],
  [[BROKERS, 'networkPolicy.kafka=null'], /'\/networkPolicy': missing property 'kafka'/],
  [[BROKERS, 'orphans.drainTimeout=null'], /'\/orphans': missing property 'drainTimeout'/],
  [[BROKERS, 'persistence.size=null'], /'\/persistence': missing property 'size'/],
  [[BROKERS, 'probes.startup=null'], /'\/probes': missing property 'startup'/],
  [[BROKERS, 'tls.secretName=Foo_bar'], /'\/tls\/secretName'/],
  [[BROKERS, 'files.HTTP_TOKEN.secret=a', 'files.HTTP_TOKEN.key=../x'], /'\/files\/HTTP_TOKEN\/key'/],
  [[BROKERS, 'orphans.schedule=every 5 minutes'], /'\/orphans\/schedule'/],
  [['settings.KAFKA_BROKERS=kafka-0'], /KAFKA_BROKERS has "kafka-0", which is not host:port/],
  [['settings.KAFKA_BROKERS=a:9092\\,'], /KAFKA_BROKERS has "", which is not host:port/],
  [[BROKERS, 'fullnameOverride=1edge'], /'\/fullnameOverride'/],
  [[BROKERS, 'podDisruptionBudget.maxUnavailable=150%'], /'\/podDisruptionBudget\/maxUnavailable'/],
  [
    [BROKERS, 'tls.secretName=a', 'service.ports.plain=443', 'service.ports.tls=443'],
    /service\.ports has 443 twice, for plain and tls/,
  ],
  [
    [BROKERS, 'tls.secretName=a', 'service.nodePorts.plain=30080', 'service.nodePorts.tls=30080'],
    /service\.nodePorts has 30080 twice/,
  ],
  [
    [BROKERS, 'extraEnv[0].name=A', 'extraEnv[0].value=x', 'extraEnv[0].valueFrom.secretKeyRef.name=a'],
    /A both a value and a valueFrom/,
  ],
];

describe('chart, wrong values', () => {
  for (const [set, says] of WRONG) {
    it(`refuses ${set.filter((one) => one !== BROKERS).join(' ') || 'no brokers'}`, (t) => {
      const helm = helmFor(t);
      if (helm === undefined) return;
      const rendered = template(helm, { set });
      assert.ok(!rendered.ok, 'it was rendered');
      assert.match(rendered.message, says);
      // A wrong value must not end in a fault of the template.
      assert.doesNotMatch(
        rendered.message,
        /nil pointer|wrong type for value|error calling (?!fail)(?!include)/,
      );
    });
  }
});
