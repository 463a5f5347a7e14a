// Compares the hand-written docs with the code: names in them exist, and tables and examples match the code.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { OWN_VARIABLES } from '../scripts/deploy-check/compose-files.ts';
import { PROFILES, type ProfileName } from '../src/config/profiles.ts';
import { aboutSetting, SETTING_NAMES, type SettingName } from '../src/config/settings.ts';
import { KAFKA_ERRORS } from '../src/kafka/wire/errors.ts';
import { CODE_NAMES } from '../src/protocol/codes.ts';
import { lineDecoder, STRICT } from '../src/protocol/line-decoder.ts';
import { decodeLine } from '../src/protocol/messages.ts';

// From dist/test.
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const PAGES = [...readdirSync(ROOT), ...filesUnder('docs')].filter((file) => file.endsWith('.md'));
const DECISIONS = filesUnder('docs/decisions');
const ALL_SETTINGS: readonly string[] = SETTING_NAMES;
// KAFKA_STORAGE_ERROR looks like a setting.
const ERROR_NAMES = new Set([...KAFKA_ERRORS.values()].map(({ name }) => name));

function filesUnder(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length));
}

const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');
const matches = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map((match) => match[1] ?? '');

/** Cells of the table's rows, without the back quotes. */
function rows(text: string): string[][] {
  return matches(text, /^\|(.+)\|$/gm).map((line) =>
    line.split('|').map((cell) => cell.trim().replaceAll('`', '')),
  );
}

for (const page of PAGES) {
  test(`every setting and npm script named in ${page} exists`, () => {
    const text = read(page);
    const scripts = Object.keys((JSON.parse(read('package.json')) as { scripts: object }).scripts);
    for (const script of matches(text, /\bnpm run ([a-z-]+)/g)) assert.ok(scripts.includes(script), script);
    if (page === 'docs/configuration.md') return;
    for (const name of matches(text, /`((?:TCP|KAFKA|SPOOL|HTTP|STATS|SHUTDOWN|LOG)_[A-Z_]+)[`=]/g)) {
      const isKnown = ALL_SETTINGS.includes(name) || Object.hasOwn(OWN_VARIABLES, name);
      assert.ok(isKnown || ERROR_NAMES.has(name), name);
    }
  });
}

for (const page of PAGES) {
  test(`every file and folder named in ${page} exists`, () => {
    const named = /(?<![\w./])((?:src|docs|scripts|test|load|bench)\/[\w./-]*)(?=[`\s,)#])/g;
    for (const path of matches(read(page), named)) {
      // A decision may be named by its number alone.
      const isDecision = DECISIONS.some((file) => file.startsWith(`${path}-`));
      assert.ok(isDecision || existsSync(join(ROOT, path)), path);
    }
  });
}

test('docs/extending.md names tests that exist', () => {
  const named = [...read('docs/extending.md').matchAll(/`(test\/[\w/.-]+)` \("([^"]+)"\)/g)];
  assert.ok(named.length >= 3);
  for (const [, file = '', name = ''] of named) assert.ok(read(file).includes(name), `${file}: ${name}`);
});

test('docs/architecture.md has at most 150 lines, and every class that it names exists', () => {
  const page = read('docs/architecture.md');
  assert.ok(page.split('\n').length <= 151);
  const code = filesUnder('src').map(read).join('\n');
  for (const name of matches(page, /`([A-Z][a-z]+[A-Za-z]*)(?:\.[a-zA-Z]+)?`/g))
    assert.match(code, new RegExp(`^export (?:class|interface) ${name}\\b`, 'm'), name);
});

test("the settings table of README.md shows the settings' defaults", () => {
  const shown = rows(read('README.md')).filter(([name = '']) => ALL_SETTINGS.includes(name));
  assert.ok(shown.length >= 10);
  for (const [name, value] of shown) assert.equal(value, aboutSetting(name as SettingName).default, name);
});

for (const page of ['README.md', 'docs/quick-test-guide.md']) {
  test(`the lines that ${page} tells to send are accepted`, () => {
    const inputs = matches(read(page), /^printf '([^']+)' \| n/gm);
    assert.ok(inputs.length > 0);
    for (const input of inputs) {
      const lines = input.split('\\n').slice(0, -1);
      const types = lines.map((line) => {
        const bytes = Buffer.from(line);
        return decodeLine(bytes, 0, bytes.length).type;
      });
      assert.deepEqual(types, ['identify', 'metrics'], input);
    }
  });
}

test('the device of docs/deployment.md sends accepted lines, with a token and without', () => {
  const [device = ''] = matches(read('docs/deployment.md'), /^```sh\n(reading\(\) \{\n[^`]+\n\})\n```$/gm);
  const [login = ''] = matches(read('docs/deployment.md'), /^(login='.+')$/gm);
  const script = `${device}\nreading\n${login}\nreading 36.5`;
  const lines = execFileSync('sh', ['-c', script], { encoding: 'utf8' }).split('\n').slice(0, -1);
  const types = lines.map((line) => {
    const bytes = Buffer.from(line);
    return decodeLine(bytes, 0, bytes.length).type;
  });
  assert.deepEqual(types, ['identify', 'metrics', 'identify', 'metrics']);
  assert.match(lines[2] ?? '', /"token":/);
  assert.match(lines[3] ?? '', /"temperature":36\.5/);
});

test('the examples of docs/protocol.md are messages of the protocol', () => {
  const lines = matches(read('docs/protocol.md'), /^(\{"type":"(?:identify|metrics|keepalive)".*\})$/gm);
  assert.ok(lines.length >= 6);
  for (const line of lines) {
    const bytes = Buffer.from(line);
    assert.notEqual(decodeLine(bytes, 0, bytes.length).type, 'refused', line);
  }
});

test('docs/from-the-go-server.md says what Sluice makes of each line, by default and with TCP_COMPATIBILITY=go', () => {
  const page = read('docs/from-the-go-server.md');
  const decoders = [STRICT, lineDecoder({ compatibility: 'go', required: [] })];
  const shown = [...page.matchAll(/^\| `(\{[^`]+)` \| [^|]+ \| ([^|]+) \| ([^|]+) \|$/gm)];
  assert.ok(shown.length >= 18);
  for (const [, line = '', ...cells] of shown) {
    const bytes = Buffer.from(
      line
        .replace('<65 characters>', 'x'.repeat(65))
        .replace('<17 deep>', '['.repeat(16) + ']'.repeat(16))
        .replace('<byte FC>', '\xfc'),
      'latin1',
    );
    for (const [index, cell] of cells.entries()) {
      const [, code] = /^(?:`(\w+)`|accepted|same)/.exec(cell) ?? assert.fail(cell);
      const message = decoders[index]?.decode(bytes, 0, bytes.length);
      assert.equal(message?.type === 'refused' ? message.code : undefined, code, `${line}: ${cell}`);
    }
  }
});

test('docs/protocol.md explains every reply code and invents none', () => {
  const page = read('docs/protocol.md');
  const table = page.slice(page.indexOf('<!-- codes: begin -->'), page.indexOf('<!-- codes: end -->'));
  const listed = rows(table).map(([code = '']) => code);
  assert.deepEqual(
    listed.filter((code) => /^[a-z_0-9]+$/.test(code) && code !== 'code'),
    CODE_NAMES,
  );
});

test('the tuning table of docs/quick-test-guide.md shows what the profiles set', () => {
  const table = rows(read('docs/quick-test-guide.md')).filter(([name = '']) => ALL_SETTINGS.includes(name));
  const columns: readonly ProfileName[] = ['small', 'medium', 'large'];
  const shown = new Set(table.map(([name]) => name));
  for (const row of table) {
    const name = row[0] as SettingName;
    assert.equal(row[1], aboutSetting(name).default, `${name}, default`);
    for (const [index, profile] of columns.entries()) {
      assert.equal(row[index + 2], PROFILES[profile].values[name]?.[0] ?? '', `${name}, ${profile}`);
    }
  }
  for (const profile of columns) {
    for (const name of Object.keys(PROFILES[profile].values))
      assert.ok(shown.has(name), `${profile}: ${name}`);
  }
});
