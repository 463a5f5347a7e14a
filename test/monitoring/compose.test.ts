// docker-compose.yml runs Prometheus and Grafana with the files of deploy: names, mounts and ports fit together.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'yaml';
import { read } from './files.ts';

interface Service {
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
}

const { services } = parse(read('docker-compose.yml'), { merge: true }) as {
  services: Readonly<Record<string, Service>>;
};
const skip = services.prometheus === undefined && 'docker-compose.yml has no Prometheus';

test('Prometheus asks services of docker-compose.yml, by names that they allow', { skip }, () => {
  const { scrape_configs: jobs } = parse(read('deploy/prometheus/prometheus.yml')) as {
    scrape_configs: readonly {
      readonly job_name: string;
      readonly static_configs: readonly { readonly targets: readonly string[] }[];
    }[];
  };
  const targets = jobs.flatMap(({ job_name, static_configs }) =>
    static_configs.flatMap((group) => group.targets.map((target) => ({ job: job_name, target }))),
  );
  assert.deepEqual(
    targets.map(({ target }) => target),
    ['sluice-1:9108', 'sluice-2:9108', 'haproxy:8404'],
  );
  for (const { job, target } of targets) {
    const [name = ''] = target.split(':');
    const service = services[name];
    assert.ok(service, `there is no service ${name}`);
    if (job !== 'sluice') continue;
    // The text before the first variable is always there.
    const [always = ''] = (service.environment?.HTTP_ALLOWED_HOSTS ?? '').split('$');
    assert.ok(always.split(',').includes(name), `HTTP_ALLOWED_HOSTS of ${name} lacks ${name}: ${always}`);
  }
});

test('Prometheus and Grafana find their files', { skip }, () => {
  const mounts = (name: string) => services[name]?.volumes ?? [];
  assert.ok(mounts('prometheus').some((mount) => mount.startsWith('./deploy/prometheus:/etc/prometheus')));
  assert.ok(
    mounts('grafana').some((mount) =>
      mount.startsWith('./deploy/grafana/provisioning:/etc/grafana/provisioning'),
    ),
  );
  const dashboards = parse(read('deploy/grafana/provisioning/dashboards/sluice.yml')) as {
    providers: readonly { options: { path: string } }[];
  };
  for (const { options } of dashboards.providers)
    assert.ok(
      mounts('grafana').some((mount) => mount.startsWith(`./deploy/grafana/dashboards:${options.path}`)),
    );
  const sources = parse(read('deploy/grafana/provisioning/datasources/prometheus.yml')) as {
    datasources: readonly { url: string }[];
  };
  for (const { url } of sources.datasources) assert.ok(new URL(url).hostname in services, url);
});
