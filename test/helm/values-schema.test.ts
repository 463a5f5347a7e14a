// The chart knows every setting of the gateway, and its own version. Needs no Helm.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { parse } from 'yaml';
import { loadSettings } from '../../src/config/load.ts';
import { aboutSetting, SETTING_NAMES } from '../../src/config/settings.ts';

const read = (path: string) =>
  readFileSync(new URL(`../../../deploy/helm/sluice/${path}`, import.meta.url), 'utf8');

interface Schema {
  readonly properties: Record<
    string,
    { readonly properties: Record<string, unknown>; readonly additionalProperties: unknown }
  >;
}

const schema = JSON.parse(read('values.schema.json')) as Schema;
const values = parse(read('values.yaml')) as Record<string, unknown> & { settings: Record<string, string> };

describe('values of the chart', () => {
  it('have a place for every setting, and secrets have none in the ConfigMap', () => {
    const settings = Object.keys(schema.properties.settings?.properties ?? {});
    const files = Object.keys(schema.properties.files?.properties ?? {});
    for (const name of SETTING_NAMES) {
      if (name === 'SPOOL_DIR') continue;
      assert.ok(settings.includes(name) || files.includes(name), `${name} cannot be set`);
      if (aboutSetting(name).secret) assert.ok(!settings.includes(name) && files.includes(name), name);
    }
    assert.ok(!settings.includes('SPOOL_DIR'));
    for (const name of [...settings, ...files]) assert.ok((SETTING_NAMES as string[]).includes(name), name);
  });

  it('are all in the schema, and the schema has no others but `global`', () => {
    const known = Object.keys(schema.properties).filter((name) => name !== 'global');
    assert.deepEqual(Object.keys(values).sort(), known.sort());
  });

  it('give the gateway settings that it takes', () => {
    const loaded = loadSettings({ env: { ...values.settings, KAFKA_BROKERS: 'kafka:9092' } });
    assert.ok(loaded.ok, loaded.ok ? '' : loaded.problems.join('; '));
    // Readiness that needs Kafka would empty the service in an outage.
    assert.equal(loaded.settings.HTTP_READY_REQUIRES, 'spool');
    assert.equal(values.settings.HTTP_READY_REQUIRES, undefined);
  });

  it('are for this version of the gateway', () => {
    const { version } = JSON.parse(
      readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'),
    ) as { version: string };
    const chart = parse(read('Chart.yaml')) as { appVersion: string };
    assert.equal(chart.appVersion, version, 'set appVersion in deploy/helm/sluice/Chart.yaml');
  });
});
