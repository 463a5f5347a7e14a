// The Compose files and the .env files beside them, without a Docker: their schema, their variables, the settings
// that reach the gateways, and the limits that have to fit together. `npm run deploy-check` asks the real `docker compose`.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, renameSync } from 'node:fs';
import { createRequire } from 'node:module';
import { BlockList } from 'node:net';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Ajv } from 'ajv';
import { parse as parseDotenv } from 'dotenv';
import { parse as parseYaml } from 'yaml';
import {
  COMPOSE_FILES,
  ENV_FILES,
  FIXED,
  OWN_VARIABLES,
  REQUIRED,
} from '../../scripts/deploy-check/compose-files.ts';
import {
  type ComposeService,
  composeModel,
  parseCompose,
  type Variables,
  variablesIn,
} from '../../scripts/deploy-check/compose-model.ts';
import { withSettings } from '../../scripts/docs/compose.ts';
import { PROFILES } from '../../src/config/profiles.ts';
import { PROFILE_NAMES, parseSetting, SETTING_NAMES, type Settings } from '../../src/config/settings.ts';
import { accepted } from '../config/loading.ts';
import { temporaryDirectory } from '../support/directory.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');
const model = (file: string, variables: Variables = {}) =>
  composeModel(join(ROOT, file), { ...REQUIRED[file], ...variables });
const envFile = (file: string) => parseDotenv(read(file));
const servicesOf = (file: string): [string, ComposeService][] => Object.entries(model(file).services);
const settingNames: readonly string[] = SETTING_NAMES;
const GATEWAYS = ['sluice-1', 'sluice-2'];
const WITH_GATEWAYS = ['docker-compose.yml', 'docker-compose.gateway.yml'];

/** Contents of an --env-file: nothing, one of ours, or only a profile. */
const SITUATIONS: readonly { readonly name: string; readonly variables: Variables }[] = [
  { name: 'no file', variables: {} },
  ...ENV_FILES.map((name) => ({ name, variables: envFile(name) })),
  ...PROFILE_NAMES.map((PROFILE) => ({ name: `PROFILE=${PROFILE}`, variables: { PROFILE } })),
];

function environmentOf(file: string, service: string, variables: Variables = {}): Record<string, string> {
  return { ...model(file, variables).services[service]?.environment };
}

/** The settings with which a gateway starts in Compose. */
const settingsIn = (variables: Variables): Settings =>
  accepted(environmentOf('docker-compose.yml', 'sluice-1', variables)).settings;

const milliseconds = (text: string) => parseSetting('SHUTDOWN_TIMEOUT', text) ?? Number.NaN;

test('the Compose files have the form that the Compose schema asks for', async (t) => {
  // The schema of the Compose specification, as the linter dclint brings it.
  const linter = dirname(createRequire(import.meta.url).resolve('dclint/package.json'));
  const schema = JSON.parse(readFileSync(join(linter, 'schemas/compose.schema.json'), 'utf8')) as object;
  const ajv = new Ajv({ allErrors: true, strict: false, formats: { duration: true } });
  // ajv knows this version of JSON Schema by its address with http only.
  const isValid = ajv.compile({ ...schema, $schema: 'http://json-schema.org/draft-07/schema#' });
  for (const file of COMPOSE_FILES)
    await t.test(file, () => assert.ok(isValid(parseCompose(read(file))), ajv.errorsText(isValid.errors)));
  await t.test('a misspelt key is found', () => {
    const broken = read('docker-compose.yml').replace('    hostname: sluice-1\n', '    hostnam: sluice-1\n');
    assert.equal(isValid(parseCompose(broken)), false);
  });
});

test('every setting reaches both gateways from --env-file, but for those that Compose has to fix', () => {
  const given = Object.fromEntries(SETTING_NAMES.map((name) => [name, `value-of-${name}`]));
  for (const file of WITH_GATEWAYS) {
    for (const gateway of GATEWAYS) {
      const environment = environmentOf(file, gateway, given);
      assert.deepEqual(Object.keys(environment).sort(), [...SETTING_NAMES].sort(), gateway);
      const others = SETTING_NAMES.filter((name) => environment[name] !== given[name]);
      assert.deepEqual(others.sort(), [...FIXED].sort(), `${file}, ${gateway}`);
    }
  }
});

test('a setting that nobody gives is not set in the container, so its default and PROFILE count', () => {
  const environment = environmentOf('docker-compose.yml', 'sluice-1');
  const expected = [...FIXED, 'KAFKA_BROKERS', 'SHUTDOWN_DRAIN', 'SHUTDOWN_SPREAD', 'TCP_LINES_PORT'];
  assert.deepEqual(Object.keys(environment).sort(), [...expected, 'TCP_PORT', 'TCP_TLS_PORT'].sort());
});

test('a new setting cannot be forgotten: npm run docs writes all names into docker-compose.yml', () => {
  const file = read('docker-compose.yml');
  assert.equal(withSettings(file), file);
  assert.equal(withSettings(file.replace('  TCP_STRICT:\n', '')), file);
  assert.throws(() => withSettings(file.replace('# settings: end', '')), /settings: end/);
});

test('each variable in the Compose files is a setting or one of Compose alone, which the files explain', () => {
  const own = new Set<string>();
  for (const file of COMPOSE_FILES) {
    for (const name of variablesIn(read(file))) if (!settingNames.includes(name)) own.add(name);
  }
  assert.deepEqual([...own].sort(), Object.keys(OWN_VARIABLES).sort());
});

test('each variable of the .env files is a setting or one of Compose alone, also in lines that are commented out', () => {
  for (const file of ENV_FILES) {
    const names = [...read(file).matchAll(/^#?([A-Z][A-Z0-9_]*)=/gm)].map(([, name = '']) => name);
    assert.ok(names.length > 8, file);
    const unknown = names.filter(
      (name) => !settingNames.includes(name) && !Object.hasOwn(OWN_VARIABLES, name),
    );
    assert.deepEqual(unknown, [], file);
  }
});

for (const file of ENV_FILES) {
  test(`${file} is accepted without a warning, in Compose and as .env for npm start`, (t) => {
    const inCompose = accepted(environmentOf('docker-compose.yml', 'sluice-1', envFile(file)));
    assert.deepEqual([inCompose.warnings, inCompose.foreignNames], [[], []]);
    const asDotenv = accepted({}, join(ROOT, file));
    assert.deepEqual([asDotenv.warnings, asDotenv.foreignNames], [[], []]);
    t.diagnostic(`PROFILE=${asDotenv.settings.PROFILE}`);
  });

  test(`each line of ${file} changes something, and its reason stands above it`, () => {
    const values = envFile(file);
    for (const name of SETTING_NAMES.filter((one) => values[one] !== undefined)) {
      const { [name]: own, ...others } = values;
      const without = accepted(others).texts[name];
      assert.notEqual(own, without, `${name} is ${without} without the line`);
    }
    let isExplained = false;
    for (const line of read(file).split('\n')) {
      if (line.startsWith('# ')) isExplained = true;
      else if (line === '') isExplained = false;
      else assert.ok(isExplained, `${line}: no comment above it`);
    }
  });
}

test('what the .env files say of the time that a spool lasts is so', () => {
  // Measured: 302 and 307 bytes on disk for a reading of 170 bytes that is not compressed.
  const RECORD_BYTES = 310;
  for (const file of ['.env.lan', '.env.wan']) {
    const said = /(\d+) hours of (\d+) readings a second of 170 bytes/.exec(read(file));
    const [, hours, rate] = (said ?? []).map(Number);
    assert.ok(hours && rate, file);
    const bytes = settingsIn(envFile(file)).SPOOL_MAX_BYTES;
    assert.ok(hours * 3600 * rate * RECORD_BYTES <= bytes, `${file}: ${bytes}`);
  }
});

test('the three .env files make different gateways', () => {
  const [local, lan, wan] = ENV_FILES.map((file) => settingsIn(envFile(file)));
  for (const name of [
    'PROFILE',
    'KAFKA_BATCH_TIMEOUT',
    'KAFKA_COMPRESSION',
    'KAFKA_REQUEST_TIMEOUT',
    'SPOOL_MAX_BYTES',
    'TCP_KEEPALIVE',
    'TCP_MAX_CONNECTION_AGE',
    'SHUTDOWN_DRAIN',
    'SHUTDOWN_SPREAD',
    'SHUTDOWN_TIMEOUT',
    'STATS_INTERVAL',
  ] as const) {
    const values = [local, lan, wan].map((settings) => JSON.stringify(settings?.[name]));
    assert.equal(new Set(values).size, 3, `${name}: ${values.join()}`);
  }
});

test('git ignores .env and none of the files beside it', () => {
  const isIgnored = (file: string) =>
    spawnSync('git', ['check-ignore', '--quiet', '--no-index', file], { cwd: ROOT }).status === 0;
  assert.equal(isIgnored('.env'), true);
  for (const file of ENV_FILES) assert.equal(isIgnored(file), false, file);
  assert.equal(isIgnored('deploy/files/key.pem'), true);
  assert.equal(isIgnored('deploy/files/README.md'), false);
});

for (const { name, variables } of SITUATIONS) {
  test(`Compose waits long enough for a gateway to stop: ${name}`, () => {
    for (const service of [...GATEWAYS, 'haproxy']) {
      const { stop_grace_period: period = '' } =
        model('docker-compose.yml', variables).services[service] ?? {};
      const { SHUTDOWN_DRAIN, SHUTDOWN_SPREAD, SHUTDOWN_TIMEOUT } = settingsIn(variables);
      const needed = SHUTDOWN_DRAIN + SHUTDOWN_SPREAD + SHUTDOWN_TIMEOUT + 5000;
      assert.ok(milliseconds(period) > needed, `${service}: ${period} for ${needed} ms`);
    }
  });

  test(`descriptors and connections fit together: ${name}`, () => {
    const { services } = model('docker-compose.yml', variables);
    const connections = settingsIn(variables).TCP_MAX_CONNECTIONS;
    assert.ok((services['sluice-1']?.ulimits?.nofile ?? 0) > connections + 300);
    const { ulimits, environment } = services.haproxy ?? {};
    const atBalancer = Number(environment?.HAPROXY_MAXCONN);
    assert.ok(atBalancer >= 2 * connections);
    assert.ok((ulimits?.nofile ?? 0) > 2 * atBalancer + 1000);
  });
}

test('a profile that stops more slowly is in time too: its SHUTDOWN_TIMEOUT is among those tried above', () => {
  const slowest = Object.values(PROFILES).map(({ values }) => values.SHUTDOWN_TIMEOUT?.[0]);
  assert.ok(slowest.includes('30s'));
});

test('what a host of its own needs is asked for by name', () => {
  for (const [file, required] of Object.entries(REQUIRED)) {
    for (const name of Object.keys(required)) {
      const path = join(ROOT, file);
      for (const variables of [{}, { [name]: '' }])
        assert.throws(() => composeModel(path, variables), new RegExp(`${name}.*: set it to`));
    }
  }
});

test('the services of the split files are those of docker-compose.yml', () => {
  const all = model('docker-compose.yml').services;
  for (const file of ['docker-compose.gateway.yml', 'docker-compose.kafka.yml']) {
    for (const [name, { environment: _, ports: __, ...service }] of servicesOf(file)) {
      const { environment: ___, ports: ____, ...expected } = all[name] ?? {};
      assert.deepEqual(service, expected, `${file}, ${name}`);
    }
  }
  assert.deepEqual(Object.keys(model('docker-compose.gateway.yml').services), [...GATEWAYS, 'haproxy']);
  const { environment } = model('docker-compose.kafka.yml').services.kafka ?? {};
  assert.match(environment?.KAFKA_ADVERTISED_LISTENERS ?? '', /,OUTSIDE:\/\/10\.0\.0\.5:9094$/);
});

for (const file of COMPOSE_FILES) {
  test(`${file}: what its services may do is limited`, () => {
    for (const [name, service] of servicesOf(file)) {
      assert.deepEqual(service.cap_drop, ['ALL'], name);
      assert.deepEqual(service.security_opt, ['no-new-privileges:true'], name);
      assert.equal(service.read_only, name !== 'kafka', name);
      assert.equal(service.logging?.options?.['max-size'], '10m', name);
      const isJob = name === 'load' || name === 'passwords';
      assert.equal(service.restart, isJob ? 'no' : 'unless-stopped', name);
      // The consumer has that of its image.
      const { test: probe = [], disable = false } = service.healthcheck ?? {};
      assert.equal(probe.length > 0, !isJob && name !== 'consumer', name);
      assert.equal(disable, isJob, name);
      const isOurs = service.build !== undefined;
      assert.ok(isOurs || /:v?\d+\.\d+[\w.-]*$/.test(service.image ?? ''), `${name}: ${service.image}`);
    }
  });

  test(`${file}: only devices, and brokers on a host of their own, are reached from other machines`, () => {
    const open = servicesOf(file).flatMap(([name, { ports = [] }]) =>
      ports.flatMap((port) => (port.startsWith('127.0.0.1:') ? [] : [`${name} ${port}`])),
    );
    const devices = ['0.0.0.0:8080:8080', '0.0.0.0::8443', '0.0.0.0::8081'].map((port) => `haproxy ${port}`);
    const expected = file === 'docker-compose.kafka.yml' ? ['kafka 0.0.0.0:9094:9094'] : devices;
    assert.deepEqual(open, expected);
    const local = model(file, envFile('.env.local')).services.haproxy?.ports ?? [];
    assert.ok(local.every((port) => port.startsWith('127.0.0.1:')));
  });

  test(`${file}: no port of this machine is taken twice`, () => {
    const ports = servicesOf(file).flatMap(([, { ports = [] }]) =>
      ports.map((port) => port.split(':').at(-2)),
    );
    const fixed = ports.filter((port) => port !== '');
    assert.equal(new Set(fixed).size, fixed.length, fixed.join());
  });

  test(`${file}: every file and folder that it mounts or builds exists, and so do its volumes and networks`, () => {
    const { services, volumes, networks } = model(file);
    for (const [name, service] of Object.entries(services)) {
      for (const volume of service.volumes ?? []) {
        const source = typeof volume === 'string' ? (volume.split(':')[0] ?? '') : volume.source;
        if (source.startsWith('.')) assert.ok(existsSync(join(ROOT, source)), `${name}: ${source}`);
        else assert.ok(Object.hasOwn(volumes, source), `${name}: ${source}`);
      }
      for (const network of networkNames(service)) assert.ok(Object.hasOwn(networks, network), network);
      for (const other of Object.keys(service.depends_on ?? {})) assert.ok(Object.hasOwn(services, other));
      if (service.build !== undefined) assert.ok(existsSync(join(ROOT, service.build, 'Dockerfile')), name);
    }
  });
}

function networkNames({ networks = [] }: ComposeService): readonly string[] {
  return Array.isArray(networks) ? (networks as readonly string[]) : Object.keys(networks);
}

test('Kafka and the browser of topics can load the code for snappy and zstd, which Java unpacks to /tmp', () => {
  // Docker mounts it with noexec otherwise.
  for (const file of ['docker-compose.yml', 'docker-compose.kafka.yml'])
    for (const name of ['kafka', 'console'])
      assert.deepEqual(model(file).services[name]?.tmpfs, ['/tmp:exec'], `${file}, ${name}`);
});

test('each gateway has a volume of its own, and nobody else has it', () => {
  for (const file of WITH_GATEWAYS) {
    const spools = servicesOf(file).flatMap(([name, { volumes = [] }]) =>
      volumes.flatMap((one) =>
        typeof one === 'string' && one.startsWith('sluice-') ? [`${name} ${one}`] : [],
      ),
    );
    const expected = GATEWAYS.map((name) => `${name} ${name}-data:/var/lib/sluice`);
    assert.deepEqual(spools, expected);
    for (const name of GATEWAYS) assert.equal(environmentOf(file, name).SPOOL_DIR, '/var/lib/sluice/spool');
  }
});

test('HAProxy alone is trusted with the addresses of devices, and shares a network with the gateways', () => {
  const { services } = model('docker-compose.yml', { TCP_PROXY_TRUSTED: '10.9.0.0/16' });
  const { networks } = services.haproxy as { networks: { edge: { ipv4_address: string } } };
  assert.deepEqual(Object.keys(networks), ['edge']);
  const trusted = settingsIn({ TCP_PROXY_TRUSTED: '10.9.0.0/16' }).TCP_PROXY_TRUSTED;
  assert.deepEqual(trusted, [networks.edge.ipv4_address, '10.9.0.0/16']);
  for (const name of GATEWAYS)
    assert.deepEqual(networkNames(services[name] ?? {}), ['edge', 'default'], name);
});

test('no other container can get the address of HAProxy', () => {
  const networks = WITH_GATEWAYS.map((file) => model(file).networks.edge);
  assert.deepEqual(networks[0], networks[1]);
  const { ipam } = networks[0] as { ipam: { config: [{ subnet: string; ip_range: string }] } };
  const [{ subnet, ip_range: range }] = ipam.config;
  const has = (block: string, address: string) => {
    const [start = '', bits] = block.split('/');
    const list = new BlockList();
    list.addSubnet(start, Number(bits));
    return list.check(address);
  };
  const { haproxy } = model('docker-compose.yml').services;
  const { ipv4_address: address } = (haproxy as { networks: { edge: { ipv4_address: string } } }).networks
    .edge;
  // Docker gives each container without an address of its own the first free one of the range, and keeps none free for a
  // container that starts later.
  assert.deepEqual([has(subnet, address), has(range, address)], [true, false]);
  assert.ok(has(subnet, range.split('/')[0] ?? ''));
});

test('Prometheus finds each of its targets in Compose', () => {
  const { scrape_configs: jobs } = parseYaml(read('deploy/prometheus/prometheus.yml')) as {
    scrape_configs: { static_configs: { targets: string[] }[] }[];
  };
  const { services } = model('docker-compose.yml');
  const ports: Readonly<Record<string, string | undefined>> = {
    ...Object.fromEntries(GATEWAYS.map((name) => [name, services[name]?.environment?.HTTP_PORT])),
    haproxy: services.haproxy?.environment?.STATS_BIND?.replace(':', ''),
  };
  const targets = jobs.flatMap((job) => job.static_configs.flatMap((one) => one.targets));
  assert.deepEqual(
    targets.sort(),
    Object.entries(ports)
      .map(([name, port]) => `${name}:${port}`)
      .sort(),
  );
  const allowed = accepted(environmentOf('docker-compose.yml', 'sluice-1')).settings.HTTP_ALLOWED_HOSTS;
  assert.deepEqual(allowed, GATEWAYS);
});

test('the password of PostgreSQL is made once, and stands in no file of the checkout', (t) => {
  const [shell = '', flags = '', script = ''] =
    model('docker-compose.yml').services.passwords?.entrypoint ?? [];
  const directory = temporaryDirectory(t);
  // Root could write files that are read-only.
  const user = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
  chmodSync(directory, 0o777);
  const make = () => {
    const own = script.replace('cd /run/postgresql', `cd '${directory}'`);
    assert.notEqual(own, script);
    const { status, stderr } = spawnSync(shell, [flags, own], { encoding: 'utf8', ...user });
    assert.equal(status, 0, stderr);
    return ['postgres', 'database-url'].map((file) => readFileSync(join(directory, file), 'utf8'));
  };
  const [password = '', url] = make();
  assert.match(password, /^[0-9a-f]{48}$/);
  assert.equal(url, `postgres://sluice:${password}@postgres:5432/sluice`);
  assert.deepEqual(make(), [password, url]);
  // The container was killed before its last step, and PostgreSQL has not started yet.
  renameSync(join(directory, 'database-url'), join(directory, 'new'));
  const [another = '', itsUrl] = make();
  assert.equal(itsUrl, `postgres://sluice:${another}@postgres:5432/sluice`);
  const secret = /^[^#\n]*(?:PASSWORD|SECRET|TOKEN)[A-Z_]*[=:] *["']?\w/m;
  for (const file of [...COMPOSE_FILES, ...ENV_FILES]) assert.equal(secret.exec(read(file)), null, file);
});
