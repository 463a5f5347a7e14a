// `npm run docs`: writes the pages and sections that are generated from the code and from docs/benchmarks.json (the list
// is `files` below). With --check it writes nothing and exits 1 if a file differs from what it would write.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { benchSection, readmeTable } from '../../bench/report/benchmarks-page.ts';
import { parseBenchFile } from '../../bench/report/results-file.ts';
import { METRICS } from '../../src/admin/metrics.ts';
import { isOurs, KAFKA_ERRORS, OUTCOMES, type Outcome } from '../../src/kafka/wire/errors.ts';
import { CODE_NAMES, CODES, isFatal } from '../../src/protocol/codes.ts';
import { filesPage } from './files.ts';
import { textTable } from './markdown.ts';
import { withSection } from './section.ts';
import { configurationPage, envExample } from './settings.ts';

const root = new URL('../../../', import.meta.url);
const check = process.argv.includes('--check');

const BENCHMARKS = 'docs/benchmarks.json';
const benchmarks = parseBenchFile(read(BENCHMARKS) ?? '', BENCHMARKS);

const files: Record<string, string | undefined> = {
  'docs/configuration.md': configurationPage(),
  'docs/metrics.md': metricsPage(),
  'docs/files.md': filesPage(fileURLToPath(root)),
  '.env.example': envExample(),
  'docs/protocol.md': sectionOf('docs/protocol.md', 'codes', codesTable()),
  'docs/delivery-guarantees.md': sectionOf('docs/delivery-guarantees.md', 'kafka-errors', kafkaErrorTables()),
  'docs/benchmarks.md': sectionOf('docs/benchmarks.md', 'bench', benchSection(benchmarks)),
  'README.md': sectionOf('README.md', 'speed', readmeTable(benchmarks)),
};

for (const [name, text] of Object.entries(files)) {
  if (text === undefined || text === read(name)) continue;
  if (check) {
    console.error(`${name} differs from the code it is generated from; run: npm run docs`);
    process.exitCode = 1;
  } else {
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
  const rows = METRICS.map(({ name, type, label, help }) => [
    `\`${name}\``,
    type + (label === undefined ? '' : ` by \`${label}\``),
    help,
  ]);
  return `<!-- Generated from src/admin/figures.ts and src/admin/metrics.ts by \`npm run docs\`. Do not edit. -->
# Metrics
\`/metrics\` on the admin port (\`HTTP_HOST\`, \`HTTP_PORT\`) exports these to Prometheus. Devices cannot add series. \`/stats\` has the same figures as JSON, with reasons in words. Which ones to watch: [the quick test guide](quick-test-guide.md#what-to-look-at).

${textTable(['name', 'type', 'meaning'], rows)}
`;
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
    'The advice in the log, `/readyz` and `/stats`, for codes that do not go away by themselves:',
    textTable(['code', 'what to do'], remedies),
  ].join('\n\n');
}
