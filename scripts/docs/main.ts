// `npm run docs`: writes the pages and sections that are generated from the code, docs/benchmarks.json and docs/comparison.json (the list
// is `files` below). With --check it writes nothing and exits 1 if a file differs from what it would write.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { comparisonSection } from '../../bench/comparison/page.ts';
import { parseComparison } from '../../bench/comparison/result.ts';
import { benchSection, readmeTable } from '../../bench/report/benchmarks-page.ts';
import { parseBenchFile } from '../../bench/report/results-file.ts';
import { planSections } from '../../plan/page/sections.ts';
import { METRICS, unitOf } from '../../src/admin/metrics.ts';
import { AREAS, CHECKS } from '../../src/check/checks.ts';
import { isOurs, KAFKA_ERRORS, OUTCOMES, type Outcome } from '../../src/kafka/wire/errors.ts';
import { CLOSING_CODES, CODE_NAMES, CODES, isFatal } from '../../src/protocol/codes.ts';
import { readResults } from '../compatibility/results.ts';
import { openApiText } from '../contracts/admin/document.ts';
import { adminPage } from '../contracts/admin/page.ts';
import { contractFiles } from '../contracts/files.ts';
import { UNSAID } from '../contracts/messages.ts';
import { dashboardFile } from '../monitoring/dashboard.ts';
import { grafanaAlertsFile } from '../monitoring/grafana-alerts.ts';
import { rulesFile, rulesTestFile } from '../monitoring/rules.ts';
import { compatibilitySection, PAGE } from './compatibility.ts';
import { withSettings } from './compose.ts';
import { filesPage } from './files.ts';
import { valuesSchema } from './helm/schema.ts';
import { chartSettings } from './helm/settings.ts';
import { textTable } from './markdown.ts';
import { operationsPage } from './operations.ts';
import { querySections } from './queries.ts';
import { withSection } from './section.ts';
import { configurationPage, envExample } from './settings.ts';

const root = new URL('../../../', import.meta.url);
const check = process.argv.includes('--check');

const BENCHMARKS = 'docs/benchmarks.json';
const benchmarks = parseBenchFile(read(BENCHMARKS) ?? '', BENCHMARKS);

const COMPARISON = 'docs/comparison.json';
const compared = read(COMPARISON);
/** Undefined until somebody has measured. */
const comparison = compared === undefined ? undefined : parseComparison(compared, COMPARISON);

const files: Record<string, string | undefined> = {
  'docs/configuration.md': configurationPage(),
  'docs/metrics.md': metricsPage(),
  'deploy/prometheus/rules.yml': rulesFile(),
  'deploy/prometheus/rules.test.yml': rulesTestFile(),
  'deploy/grafana/dashboards/sluice.json': dashboardFile(),
  'deploy/grafana/provisioning/alerting/rules.yml': grafanaAlertsFile(),
  'deploy/helm/sluice/values.schema.json': valuesSchema(),
  'deploy/helm/sluice/files/settings.json': chartSettings(),
  // Helm reads no file outside of a chart.
  'deploy/helm/sluice/files/rules.yml': rulesFile(),
  'deploy/helm/sluice/files/dashboard.json': dashboardFile(),
  ...contractFiles(),
  'docs/contracts.md': sectionOf('docs/contracts.md', 'unsaid', unsaidList()),
  'docs/contracts/openapi.json': openApiText(),
  'docs/admin-api.md': adminPage(read('docs/admin-api.md') ?? ''),
  'docs/operations.md': operationsPage(),
  'docs/files.md': filesPage(fileURLToPath(root)),
  '.env.example': envExample(),
  'docker-compose.yml': withSettings(read('docker-compose.yml') ?? ''),
  'docs/protocol.md': protocolPage(),
  'docs/delivery-guarantees.md': sectionOf('docs/delivery-guarantees.md', 'kafka-errors', kafkaErrorTables()),
  'docs/operating.md': sectionOf('docs/operating.md', 'checks', checksTable()),
  'docs/compatibility.md': sectionOf(
    'docs/compatibility.md',
    PAGE.section,
    compatibilitySection(readResults()),
  ),
  'docs/benchmarks.md': sectionOf('docs/benchmarks.md', 'bench', benchSection(benchmarks, comparison)),
  'docs/comparison.md': sectionOf('docs/comparison.md', 'comparison', comparisonSection(comparison)),
  'docs/scaling.md': withSections('docs/scaling.md', planSections()),
  'README.md': sectionOf('README.md', 'speed', readmeTable(benchmarks)),
};

for (const [name, text] of Object.entries(files)) {
  if (text === undefined || text === read(name)) continue;
  if (check) {
    console.error(`${name} differs from the code it is generated from; run: npm run docs`);
    process.exitCode = 1;
  } else {
    mkdirSync(new URL('.', new URL(name, root)), { recursive: true });
    writeFileSync(new URL(name, root), text);
    console.log(`wrote ${name}`);
  }
}

function read(name: string): string | undefined {
  const url = new URL(name, root);
  return existsSync(url) ? readFileSync(url, 'utf8') : undefined;
}

/** The page with this section replaced. Undefined if there is no such page: then none is made. */
function sectionOf(name: string, section: string, text: string): string | undefined {
  const page = read(name);
  return page === undefined ? undefined : withSection(page, section, text);
}

/** The page with all of these sections replaced. */
function withSections(
  name: string,
  sections: readonly (readonly [section: string, text: string])[],
): string | undefined {
  const page = read(name);
  return page && sections.reduce((text, [section, body]) => withSection(text, section, body), page);
}

function protocolPage(): string | undefined {
  const page = sectionOf('docs/protocol.md', 'codes', codesTable());
  const rows = Object.entries(CLOSING_CODES).map(([code, meaning]) => [`\`${code}\``, meaning]);
  return page && withSection(page, 'closing-codes', textTable(['code', 'why'], rows));
}

function codesTable(): string {
  const rows = CODE_NAMES.map((code) => [
    `\`${code}\``,
    isFatal(code) ? 'is closed' : 'goes on',
    CODES[code].meaning,
    CODES[code].deviceShould,
  ]);
  return textTable(['code', 'the connection', 'meaning', 'the device should'], rows);
}

function metricsPage(): string {
  const rows = METRICS.map(({ name, type, labels, help }) => [
    `\`${name}\``,
    type,
    unitOf(name),
    labels.map((label) => `\`${label}\``).join(', '),
    help,
  ]);
  return `<!-- Generated from src/admin/figures.ts and src/admin/metrics.ts by \`npm run docs\`. Do not edit. -->
# Metrics
\`/metrics\` on the admin port (\`HTTP_HOST\`, \`HTTP_PORT\`) exports these to Prometheus. Devices cannot add series. \`/stats\` has the same figures as JSON, with reasons in words. With \`OTEL_EXPORTER_OTLP_ENDPOINT\` they are pushed by OTLP too, under the same names ([settings](configuration.md)). Which ones to watch: [the quick test guide](quick-test-guide.md#what-to-look-at).

A metric without a unit is a number of things. A histogram has the series \`_bucket\` with the label \`le\`, \`_sum\` and \`_count\`. With several processes all figures are sums, but for those with the label \`process\`. Reasons for the choices: [decision 38](decisions/0038-figures-are-counted-in-runs.md).

${textTable(['name', 'type', 'unit', 'labels', 'meaning'], rows)}

${querySections()}`;
}

function unsaidList(): string {
  return Object.values(UNSAID)
    .map((text) => `- ${text}`)
    .join('\n');
}

function checksTable(): string {
  const rows = AREAS.map((area) => {
    const checks = CHECKS.filter((check) => check.area === area).map(({ about }) => about);
    return [area, checks.join('; ')];
  });
  return textTable(['group', 'what is checked'], rows);
}

function kafkaErrorTables(): string {
  const errors = [...KAFKA_ERRORS].filter(([code]) => isOurs(code)).map(([, error]) => error);
  const named = (outcome: Outcome) =>
    errors
      .filter((error) => error.outcome === outcome)
      .map(({ name }) => `\`${name}\``)
      .join(', ');
  const classes = (Object.keys(OUTCOMES) as Outcome[]).map((outcome) => [
    outcome,
    OUTCOMES[outcome],
    named(outcome) + (outcome === 'retry' ? ', and every code that is not named here' : ''),
  ]);
  const remedies = errors.flatMap(({ name, remedy }) =>
    remedy === undefined ? [] : [[`\`${name}\``, remedy]],
  );
  return [
    textTable(['class', 'what the gateway does', 'codes'], classes),
    'The advice in the log, `/health` and `/stats`, for codes that do not go away by themselves:',
    textTable(['code', 'what to do'], remedies),
  ].join('\n\n');
}
