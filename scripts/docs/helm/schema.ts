// The JSON schema of the values of the Helm chart: deploy/helm/sluice/values.schema.json. Helm holds values to it before it
// looks at a template, so a wrong name or type is refused with its place.
import { filesSchema, type Json, settingsSchema } from './setting-schema.ts';

const text = { type: 'string' };
const flag = { type: 'boolean' };
const count = { type: 'integer', minimum: 0 };
const strings = { type: 'object', additionalProperties: { type: 'string' } };
const anything = { type: 'object' };
const objects = { type: 'array', items: { type: 'object' } };
const portOrNull = { type: ['integer', 'null'], minimum: 1, maximum: 65_535 };
const countOrShare = { type: ['integer', 'string', 'null'], minimum: 0, pattern: '^(100|[0-9]{1,2})%$' };
const name = { type: 'string', pattern: '^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$' };
/** Of a Secret and of most other objects. */
const objectName = { type: 'string', pattern: '^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$', maxLength: 253 };
const objectNameOrEmpty = { ...objectName, pattern: `${objectName.pattern}|^$` };
const prometheusDuration = { type: 'string', pattern: '^([0-9]+(ms|[smhdwy]))+$' };
const oneOf = (...words: string[]) => ({ enum: words });

/** Without these the template does as with an empty one. */
const OPTIONAL = ['tag', 'digest', 'storageClassName', 'loadBalancerClass', 'ipFamilyPolicy', 'behavior'];

/**
 * An object of the values. Helm takes a value away that is set to null, and then the template would fail without a clear word.
 * So each has to be there that may not be null.
 */
function whole(properties: Json): Json {
  const mayBeNull = (name: string) => String((properties[name] as Json).type).includes('null');
  const required = Object.keys(properties).filter((name) => !OPTIONAL.includes(name) && !mayBeNull(name));
  return closed(properties, { required });
}

/** An object that may have these names and no others. */
function closed(properties: Json, further: Json = {}): Json {
  return { type: 'object', additionalProperties: false, properties, ...further };
}

const portList = { type: 'array', items: { type: 'integer', minimum: 1, maximum: 65_535 } };
const ports = whole({ plain: portOrNull, tls: portOrNull, lines: portOrNull });
const nodePort = { type: ['integer', 'null'], minimum: 1, maximum: 65_535 };
const positive = { type: 'integer', minimum: 1 };
const probe = closed(
  {
    periodSeconds: positive,
    failureThreshold: positive,
    timeoutSeconds: positive,
    initialDelaySeconds: count,
  },
  // Kubernetes has values of its own for the others.
  { required: ['periodSeconds'] },
);
const resources = closed({ requests: anything, limits: anything, claims: objects });
const monitor = whole({ enabled: flag, labels: strings, interval: prometheusDuration });

const VALUES: Json = {
  // Helm itself sets it for charts that depend on this one.
  global: anything,
  nameOverride: name,
  // A Service may not begin with a digit.
  fullnameOverride: { type: 'string', pattern: '^([a-z]([-a-z0-9]*[a-z0-9])?)?$', maxLength: 40 },
  image: whole({
    repository: { type: 'string', minLength: 1 },
    tag: text,
    digest: { type: 'string', pattern: '^(sha256:[0-9a-f]{64})?$' },
    pullPolicy: oneOf('Always', 'IfNotPresent', 'Never'),
  }),
  imagePullSecrets: { type: 'array', items: closed({ name: objectName }, { required: ['name'] }) },
  replicaCount: count,
  settings: settingsSchema(),
  tls: whole({ secretName: objectNameOrEmpty }),
  files: filesSchema(),
  rollOnFileChange: flag,
  extraEnv: {
    type: 'array',
    items: closed(
      { name: { type: 'string', pattern: '^[-._a-zA-Z][-._a-zA-Z0-9]*$' }, value: text, valueFrom: anything },
      { required: ['name'] },
    ),
  },
  clientAddress: oneOf('local', 'proxy', 'none'),
  service: whole({
    type: oneOf('ClusterIP', 'NodePort', 'LoadBalancer'),
    annotations: strings,
    labels: strings,
    ports,
    nodePorts: whole({ plain: nodePort, tls: nodePort, lines: nodePort }),
    loadBalancerClass: text,
    loadBalancerSourceRanges: { type: 'array', items: text },
    ipFamilyPolicy: oneOf('', 'SingleStack', 'PreferDualStack', 'RequireDualStack'),
  }),
  resources,
  persistence: whole({
    enabled: flag,
    size: { type: 'string', pattern: '^[0-9]+(\\.[0-9]+)?(Ki|Mi|Gi|Ti|k|M|G|T)?$' },
    storageClassName: objectNameOrEmpty,
    accessMode: oneOf('ReadWriteOnce', 'ReadWriteOncePod'),
    annotations: strings,
  }),
  orphans: whole({
    enabled: flag,
    schedule: { type: 'string', pattern: String.raw`^(@[a-z]+|@every \S+|\S+( \S+){4})$` },
    drainTimeout: { type: 'string', pattern: '^([1-9][0-9]*(s|m|h))+$' },
    deleteEmptyClaims: flag,
    resources,
    lookResources: resources,
  }),
  terminationGracePeriodSeconds: { type: ['integer', 'null'], minimum: 1 },
  preStop: whole({ enabled: flag }),
  probes: whole({ startup: probe, liveness: probe, readiness: probe }),
  updateStrategy: whole({ type: oneOf('RollingUpdate', 'OnDelete'), partition: count }),
  minReadySeconds: count,
  podDisruptionBudget: whole({
    enabled: flag,
    maxUnavailable: countOrShare,
    minAvailable: countOrShare,
  }),
  autoscaling: whole({
    enabled: flag,
    minReplicas: positive,
    maxReplicas: positive,
    targetCPUUtilizationPercentage: { type: ['integer', 'null'], minimum: 1 },
    metrics: objects,
    behavior: anything,
  }),
  networkPolicy: whole({
    enabled: flag,
    devices: whole({ from: objects }),
    admin: whole({ from: objects }),
    kafka: whole({
      to: objects,
      ports: portList,
    }),
    apiServer: whole({ ports: { ...portList, minItems: 1 } }),
    extraEgress: objects,
  }),
  metrics: whole({
    serviceMonitor: monitor,
    podMonitor: monitor,
    rules: whole({ enabled: flag, labels: strings }),
    dashboard: whole({ enabled: flag, labels: strings }),
  }),
  serviceAccount: whole({ create: flag, name: objectNameOrEmpty, annotations: strings }),
  podSecurityContext: anything,
  securityContext: anything,
  podAnnotations: strings,
  podLabels: strings,
  annotations: strings,
  priorityClassName: objectNameOrEmpty,
  nodeSelector: strings,
  tolerations: objects,
  affinity: anything,
  topologySpreadConstraints: objects,
  extraVolumes: objects,
  extraVolumeMounts: objects,
  extraContainers: objects,
};

/** As in whole(). */
const REQUIRED = Object.keys(VALUES).filter(
  (value) => !['global', 'terminationGracePeriodSeconds'].includes(value),
);

const SOURCE = {
  description: 'A key of a Secret or of a ConfigMap that exists in the namespace',
  ...closed(
    {
      secret: objectName,
      configMap: objectName,
      key: { type: 'string', pattern: '^[-._a-zA-Z0-9]+$' },
    },
    { required: ['key'], oneOf: [{ required: ['secret'] }, { required: ['configMap'] }] },
  ),
};

export function valuesSchema(): string {
  const schema = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $comment: 'Generated from scripts/docs/helm and src/config by `npm run docs`. Do not edit.',
    title: 'Values of the Helm chart of Sluice',
    ...closed(VALUES, { required: REQUIRED }),
    $defs: { source: SOURCE },
  };
  return `${JSON.stringify(schema, null, 2)}\n`;
}
