// The chart as the real Helm renders it.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import {
  drainJobOf,
  type HelmOptions,
  type KubernetesObject,
  lint,
  objectsOf,
  template,
} from '../../scripts/deploy-check/chart.ts';
import { valuesFiles } from '../../scripts/deploy-check/helm.ts';
import { loadSettings } from '../../src/config/load.ts';
import { at, GATEWAY, helmFor, judgeFor, only, POD, values } from './support.ts';

const BROKERS = 'settings.KAFKA_BROKERS=kafka:9092';
/** The oldest that the chart takes, and a newer one. `npm run deploy-check` has more. */
const VERSIONS = ['1.27.0', '1.34.0'] as const;

function rendering(t: TestContext): ((options?: HelmOptions) => KubernetesObject[]) | undefined {
  const helm = helmFor(t);
  if (helm === undefined) return undefined;
  return (options = { set: [BROKERS] }) => objectsOf(template(helm, options));
}

describe('chart', () => {
  for (const file of valuesFiles()) {
    const name = file.replace(/^.*\//, '');
    it(`is linted and rendered with ${name}`, (t) => {
      const helm = helmFor(t);
      if (helm === undefined) return;
      const linted = lint(helm, { files: [file] });
      assert.ok(linted.ok, linted.ok ? '' : linted.message);
      assert.ok(objectsOf(template(helm, { files: [file] })).length > 0);
    });
  }

  // All together, since the judge reads its schemas again each time. `npm run deploy-check` says which values are wrong.
  for (const kubernetes of VERSIONS)
    it(`has only fields that Kubernetes ${kubernetes} knows, with all values, as has the Kafka for trials`, (t) => {
      const helm = helmFor(t);
      const judge = judgeFor(t);
      if (helm === undefined || judge === undefined) return;
      const kafka = new URL('../../../deploy/helm/kafka-for-trials.yaml', import.meta.url);
      const documents = valuesFiles().flatMap((file) => {
        const rendered = template(helm, { files: [file], kubernetes });
        const job = drainJobOf(objectsOf(rendered));
        return [rendered.ok ? rendered.text : '', JSON.stringify(job ?? null)];
      });
      const yaml = [...documents, readFileSync(kafka, 'utf8')].join('\n---\n');
      assert.deepEqual(judge.problems(yaml, kubernetes), []);
    });

  it('takes names that YAML would read as numbers or truths, and labels that the chart has too', (t) => {
    const helm = helmFor(t);
    const judge = judgeFor(t);
    if (helm === undefined || judge === undefined) return;
    const documents: string[] = [];
    for (const release of ['true', 'null', 'a.b', `${'a'.repeat(38)}--b`]) {
      const options = { release, files: [values('odd-names')], kubernetes: VERSIONS[0] };
      const rendered = template(helm, options);
      documents.push(rendered.ok ? rendered.text : rendered.message);
      for (const { kind, metadata } of objectsOf(rendered)) {
        assert.match(metadata.name ?? '', /^[a-z]([-a-z0-9]*[a-z0-9])?$/, `${kind} of ${release}`);
        assert.equal(metadata.labels?.['app.kubernetes.io/instance'], release);
      }
      const set = only(objectsOf(rendered), 'StatefulSet');
      // The labels by which the gateways are found are those of the chart.
      assert.equal(
        (at(set, 'spec.template.metadata.labels') as Record<string, string>)['app.kubernetes.io/name'],
        '123',
      );
      assert.equal(at(set, 'spec.volumeClaimTemplates.0.spec.storageClassName'), '1e3');
    }
    // All together, since the judge reads its schemas again each time.
    assert.deepEqual(judge.problems(documents.join('\n---\n'), VERSIONS[0]), []);
    const refused = template(helm, { release: '1edge', files: [values('minimal')] });
    assert.match(refused.ok ? '' : refused.message, /called 1edge-sluice.*begin with a letter/);
  });

  it('is judged by tools that find a misspelt field', (t) => {
    const judge = judgeFor(t);
    if (judge === undefined) return;
    const monitor = { apiVersion: 'monitoring.coreos.com/v1', kind: 'PodMonitor', metadata: { name: 'x' } };
    const service = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'x' },
      spec: { externalTraficPolicy: 'Local' },
    };
    const wrong = { ...monitor, spec: { selector: {}, podMetricsEndpoints: [{ prot: 'admin' }] } };
    const yaml = [service, wrong].map((object) => JSON.stringify(object)).join('\n---\n');
    const problems = judge.problems(yaml, VERSIONS[0]).join('\n');
    assert.match(problems, /externalTraficPolicy/);
    assert.match(problems, /prot/);
  });

  it('gives a pod the time that its settings need to stop', (t) => {
    const render = rendering(t);
    if (render === undefined) return;
    const cases: readonly [set: string, seconds: number][] = [
      ['settings.LOG_LEVEL=info', 15 + 20 + 10 + 10],
      ['settings.SHUTDOWN_DRAIN=1m30s', 90 + 20 + 10 + 10],
      ['settings.SHUTDOWN_SPREAD=.5h29m0.5s', 15 + 3540.5 + 10 + 10],
      ['settings.SHUTDOWN_TIMEOUT=1500ms', 15 + 20 + 1.5 + 10],
      ['settings.SHUTDOWN_DRAIN=0', 20 + 10 + 10],
      // The profile changes SHUTDOWN_TIMEOUT, and a setting wins over the profile.
      ['settings.PROFILE=WAN', 15 + 20 + 30 + 10],
      ['settings.PROFILE=wan,settings.SHUTDOWN_TIMEOUT=5s', 15 + 20 + 5 + 10],
      ['terminationGracePeriodSeconds=3600', 3600],
    ];
    for (const [set, seconds] of cases) {
      const grace = at(
        only(render({ set: [BROKERS, set] }), 'StatefulSet'),
        `${POD}.terminationGracePeriodSeconds`,
      );
      assert.equal(grace, Math.ceil(seconds), set);
    }
  });

  it('rolls the pods when a setting changes, and only then', (t) => {
    const render = rendering(t);
    if (render === undefined) return;
    const podOf = (...set: string[]) =>
      JSON.stringify(at(only(render({ set: [BROKERS, ...set] }), 'StatefulSet'), 'spec.template'));
    const before = podOf();
    assert.equal(podOf('replicaCount=5'), before);
    assert.equal(podOf('orphans.schedule=*/7 * * * *'), before);
    assert.notEqual(podOf('settings.LOG_LEVEL=debug'), before);
  });

  it('hands every setting to the gateway as the gateway reads it', (t) => {
    const render = rendering(t);
    if (render === undefined) return;
    for (const file of valuesFiles()) {
      const objects = render({ files: [file] });
      const set = only(objects, 'StatefulSet');
      const env = Object.fromEntries(
        ((at(set, `${GATEWAY}.env`) ?? []) as { name: string; value: string }[])
          // The files are not here.
          .filter(({ value }) => !/^\/(etc|run)\/sluice/.test(value))
          .map(({ name, value }) => [name, value]),
      );
      const data = at(only(objects, 'ConfigMap', set.metadata.name), 'data') as Record<string, string>;
      const files = ((at(set, `${GATEWAY}.env`) ?? []) as { value: string }[]).some(({ value }) =>
        value.includes('TCP_TLS_CERT'),
      );
      const without = files
        ? ['TCP_TLS_PORT', 'TCP_TLS_DEVICE_ID', 'KAFKA_SASL_MECHANISM', 'KAFKA_SASL_USERNAME']
        : [];
      const kept = Object.entries(data).filter(([name]) => !without.includes(name));
      const loaded = loadSettings({
        env: { ...Object.fromEntries(kept), ...env, ...(files && { TCP_PORT: '8080' }) },
      });
      assert.ok(loaded.ok, `${file}: ${loaded.ok ? '' : loaded.problems.join('; ')}`);
    }
    const data = at(only(render({ files: [values('everything')] }), 'ConfigMap', 'edge-gateway'), 'data');
    assert.equal(at(data, 'TCP_MAX_CONNECTIONS'), '1000000');
    assert.equal(at(data, 'SPOOL_MAX_BYTES'), '10737418240');
    assert.equal(at(data, 'KAFKA_SSL'), 'true');
    assert.equal(at(data, 'SPOOL_DIR'), '/var/lib/sluice/spool');
  });

  it('asks for liveness and readiness in a way that leaves the service alone in an outage of Kafka', (t) => {
    const render = rendering(t);
    if (render === undefined) return;
    const objects = render();
    const set = only(objects, 'StatefulSet');
    const pathOf = (probe: string) => at(set, `${GATEWAY}.${probe}.httpGet.path`);
    assert.deepEqual(['startupProbe', 'livenessProbe', 'readinessProbe'].map(pathOf), [
      '/healthz',
      '/healthz',
      '/readyz',
    ]);
    assert.equal(at(set, `${GATEWAY}.readinessProbe.httpGet.port`), 'admin');
    const data = at(only(objects, 'ConfigMap', 'edge-sluice'), 'data');
    assert.equal(at(data, 'HTTP_READY_REQUIRES'), undefined);
    assert.equal(at(data, 'HTTP_HOST'), '0.0.0.0');
  });

  it('runs as the user of the image, without rights, and with a spool of its own for each pod', (t) => {
    const render = rendering(t);
    if (render === undefined) return;
    const set = only(render(), 'StatefulSet');
    assert.equal(at(set, `${POD}.securityContext.runAsNonRoot`), true);
    assert.equal(at(set, `${POD}.securityContext.runAsUser`), 10001);
    assert.equal(at(set, `${POD}.securityContext.fsGroup`), 10001);
    assert.equal(at(set, `${POD}.securityContext.seccompProfile.type`), 'RuntimeDefault');
    for (const container of ['containers.0', 'initContainers.0']) {
      assert.equal(at(set, `${POD}.${container}.securityContext.readOnlyRootFilesystem`), true);
      assert.equal(at(set, `${POD}.${container}.securityContext.allowPrivilegeEscalation`), false);
      assert.deepEqual(at(set, `${POD}.${container}.securityContext.capabilities.drop`), ['ALL']);
    }
    assert.equal(at(set, `${POD}.automountServiceAccountToken`), false);
    assert.equal(at(set, `${POD}.enableServiceLinks`), false);
    assert.equal(at(set, 'spec.podManagementPolicy'), 'Parallel');
    assert.deepEqual(at(set, 'spec.persistentVolumeClaimRetentionPolicy'), {
      whenDeleted: 'Retain',
      whenScaled: 'Retain',
    });
    assert.equal(at(set, 'spec.volumeClaimTemplates.0.metadata.name'), 'spool');
    assert.deepEqual(at(set, `${GATEWAY}.volumeMounts.0`), { name: 'spool', mountPath: '/var/lib/sluice' });
  });

  it('opens the ports that the settings open, and keeps the addresses of devices', (t) => {
    const render = rendering(t);
    if (render === undefined) return;
    const portsOf = (options: HelmOptions, name: string) =>
      (at(only(render(options), 'Service', name), 'spec.ports') as { name: string; port: number }[]).map(
        ({ name, port }) => `${name} ${port}`,
      );
    assert.deepEqual(portsOf({ files: [values('tls-only')] }, 'edge-sluice'), ['tls 8443']);
    assert.deepEqual(portsOf({ files: [values('everything')] }, 'edge-gateway'), [
      'plain 80',
      'tls 443',
      'lines 601',
    ]);
    assert.deepEqual(portsOf({ files: [values('everything')] }, 'edge-gateway-headless'), [
      'plain 8080',
      'tls 8443',
      'lines 5170',
      'admin 9108',
    ]);
    const policyOf = (options: HelmOptions) =>
      at(only(render(options), 'Service', 'edge-sluice'), 'spec.externalTrafficPolicy');
    assert.equal(policyOf({ set: [BROKERS, 'service.type=LoadBalancer'] }), 'Local');
    assert.equal(policyOf({ set: [BROKERS, 'service.type=NodePort'] }), 'Local');
    assert.equal(policyOf({ set: [BROKERS] }), undefined);
    const behindProxy = render({ files: [values('proxy')] });
    assert.equal(at(only(behindProxy, 'Service', 'edge-sluice'), 'spec.externalTrafficPolicy'), 'Cluster');
    assert.equal(at(only(behindProxy, 'ConfigMap', 'edge-sluice'), 'data.TCP_PROXY_PROTOCOL'), 'true');
  });

  it('spreads pods by its own labels, and by those of a constraint that has some', (t) => {
    const render = rendering(t);
    if (render === undefined) return;
    const constraint = 'topologySpreadConstraints[0]';
    const set = [BROKERS, `${constraint}.topologyKey=zone`];
    const labelsOf = (...more: string[]) =>
      at(
        only(render({ set: [...set, ...more] }), 'StatefulSet'),
        `${POD}.topologySpreadConstraints.0.labelSelector.matchLabels`,
      );
    assert.deepEqual(labelsOf(`${constraint}.labelSelector.matchLabels.team=edge`), { team: 'edge' });
    assert.equal(Object.keys(labelsOf() as object).length, 3);
  });

  it('listens on IPv6 too if the Service has two families', (t) => {
    const render = rendering(t);
    if (render === undefined) return;
    const hostOf = (...set: string[]) => {
      const data = at(only(render({ set: [BROKERS, ...set] }), 'ConfigMap', 'edge-sluice'), 'data');
      return [at(data, 'TCP_HOST'), at(data, 'HTTP_HOST')];
    };
    assert.deepEqual(hostOf(), ['0.0.0.0', '0.0.0.0']);
    assert.deepEqual(hostOf('service.ipFamilyPolicy=RequireDualStack'), ['::', '::']);
    assert.deepEqual(hostOf('service.ipFamilyPolicy=PreferDualStack', 'settings.TCP_HOST=::1'), [
      '::1',
      '::',
    ]);
  });

  it('mounts secrets as files and has none in the environment', (t) => {
    const render = rendering(t);
    if (render === undefined) return;
    const objects = render({ files: [values('everything')] });
    const set = only(objects, 'StatefulSet');
    const env = at(set, `${GATEWAY}.env`) as { name: string; value?: string }[];
    const variable = (name: string) => env.find((one) => one.name === name)?.value;
    assert.equal(variable('KAFKA_SASL_PASSWORD_FILE'), '/etc/sluice/KAFKA_SASL_PASSWORD');
    assert.equal(variable('HTTP_TOKEN_FILE'), '/etc/sluice/HTTP_TOKEN');
    assert.equal(variable('TCP_TLS_CERT'), '/etc/sluice/TCP_TLS_CERT');
    const volume = (at(set, `${POD}.volumes`) as { name: string }[]).find(({ name }) => name === 'files');
    assert.equal(at(volume, 'projected.defaultMode'), 0o400);
    const sources = JSON.stringify(at(volume, 'projected.sources'));
    assert.match(
      sources,
      /"secret":\{"name":"kafka-login","items":\[\{"key":"password","path":"KAFKA_SASL_PASSWORD"\}\]\}/,
    );
    assert.match(sources, /"configMap":\{"name":"kafka-ca"/);
    // With a token of its own, the pod makes none.
    assert.equal(at(set, `${POD}.initContainers`), undefined);
    assert.equal(
      objects.some(({ kind }) => kind === 'Secret'),
      false,
    );
  });

  it('sends the spools of pods that are gone with the settings, files and rights of the gateway', (t) => {
    const render = rendering(t);
    if (render === undefined) return;
    const objects = render({ files: [values('everything')] });
    const job = drainJobOf(objects);
    const gateway = only(objects, 'StatefulSet');
    assert.deepEqual(at(job, `${GATEWAY}.args`), [
      'spool',
      'drain',
      '--brokers',
      '$(KAFKA_BROKERS)',
      '--timeout',
      '10m',
    ]);
    for (const same of [
      `${GATEWAY}.image`,
      `${GATEWAY}.envFrom`,
      `${GATEWAY}.env`,
      `${GATEWAY}.securityContext`,
      `${POD}.securityContext`,
      `${POD}.tolerations`,
    ])
      assert.deepEqual(at(job, same), at(gateway, same), same);
    // Only on nodes for which the image was built, for example.
    const kept = 'affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution';
    assert.deepEqual(at(job, `${POD}.${kept}`), at(gateway, `${POD}.${kept}`));
    assert.notEqual(at(job, `${POD}.${kept}`), undefined);
    // A Job must end before a pod that comes back has waited for long.
    assert.equal(at(job, 'spec.activeDeadlineSeconds'), 660);
    const ofService = at(only(objects, 'Service', 'edge-gateway'), 'spec.selector') as Record<string, string>;
    const ofJob = at(job, 'spec.template.metadata.labels') as Record<string, string>;
    assert.ok(
      Object.entries(ofService).some(([label, value]) => ofJob[label] !== value),
      'devices would reach the Job',
    );
    assert.equal(drainJobOf(render({ files: [values('ephemeral')] })), undefined);
  });

  it('leaves the number of pods to the autoscaler, which takes them away slowly', (t) => {
    const render = rendering(t);
    if (render === undefined) return;
    const objects = render({ files: [values('autoscaling')] });
    assert.equal(at(only(objects, 'StatefulSet'), 'spec.replicas'), undefined);
    const scaler = only(objects, 'HorizontalPodAutoscaler');
    assert.equal(at(scaler, 'spec.scaleTargetRef.kind'), 'StatefulSet');
    assert.equal(at(scaler, 'spec.behavior.scaleDown.stabilizationWindowSeconds'), 900);
    assert.equal((at(scaler, 'spec.metrics') as unknown[]).length, 2);
    // A container beside the gateway needs no CPU request for it.
    assert.equal(at(scaler, 'spec.metrics.0.containerResource.container'), 'sluice');
    assert.equal(at(only(objects, 'PodDisruptionBudget'), 'spec.minAvailable'), 2);
    assert.equal(at(only(render(), 'StatefulSet'), 'spec.replicas'), 2);
    assert.equal(at(only(render({ set: [BROKERS, 'replicaCount=0'] }), 'StatefulSet'), 'spec.replicas'), 0);
  });

  it('lets a NetworkPolicy have the ports of the brokers, and the alerts and the dashboard as they are', (t) => {
    const render = rendering(t);
    if (render === undefined) return;
    const set = ['settings.KAFKA_BROKERS=a:9093\\,b:9093\\,[fd00::3]:9094', 'networkPolicy.enabled=true'];
    const egress = at(only(render({ set }), 'NetworkPolicy', 'edge-sluice-egress'), 'spec.egress.1.ports');
    assert.deepEqual(egress, [{ port: 9093 }, { port: 9094 }]);
    // That of the API server of minikube and of MicroK8s too: a policy judges after the Service has been replaced.
    const ofApi = at(only(render({ set }), 'NetworkPolicy', 'edge-sluice-orphans'), 'spec.egress.0.ports');
    assert.deepEqual(ofApi, [{ port: 443 }, { port: 6443 }, { port: 8443 }, { port: 16443 }]);
    const objects = render({ files: [values('everything')] });
    const groups = at(only(objects, 'PrometheusRule'), 'spec.groups') as { rules: { alert?: string }[] }[];
    assert.ok(groups.flatMap(({ rules }) => rules).length > 3);
    const dashboard = at(only(objects, 'ConfigMap', 'edge-gateway-dashboard'), 'data') as Record<
      string,
      string
    >;
    assert.ok(Array.isArray(at(JSON.parse(dashboard['sluice.json'] ?? ''), 'panels')));
    // The alerts look for the job `sluice`. A monitor takes it from this label.
    for (const [file, kind, labelled] of [
      ['everything', 'ServiceMonitor', 'metadata.labels'],
      ['autoscaling', 'PodMonitor', 'spec.template.metadata.labels'],
    ] as const) {
      const rendered = render({ files: [values(file)] });
      assert.equal(at(only(rendered, kind), 'spec.jobLabel'), 'app.kubernetes.io/part-of');
      const target =
        kind === 'PodMonitor'
          ? only(rendered, 'StatefulSet')
          : only(rendered, 'Service', 'edge-gateway-headless');
      assert.equal((at(target, labelled) as Record<string, string>)['app.kubernetes.io/part-of'], 'sluice');
    }
  });
});
