// The table of log lines: that it is whole, that its texts fit its fields, and that nothing else writes to the log.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { METRICS } from '../../src/admin/metrics.ts';
import { aboutSetting, SETTING_NAMES } from '../../src/config/settings.ts';
import type { Finding } from '../../src/health/component.ts';
import { COMPONENTS } from '../../src/health/findings.ts';
import { FIELD_IN_TEXT, type Line } from '../../src/log/line.ts';
import { AREAS, LINES } from '../../src/log/lines.ts';

// From dist/test/log.
const SRC = fileURLToPath(new URL('../../../src/', import.meta.url));
/** Fields that pino or the log itself adds. */
const TAKEN = ['level', 'time', 'pid', 'hostname', 'msg', 'event', 'count'];

const lines = Object.entries<Line>(LINES);
const sources = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts') && !/^log\/lines\//.test(path))
  .map((path) => ({ path, code: readFileSync(join(SRC, path), 'utf8').replace(/^\s*\/\/.*$/gm, '') }));

const fieldsIn = ({ text }: Line): string[] => [...text.matchAll(FIELD_IN_TEXT)].map(([, name = '']) => name);

describe('the table of log lines', () => {
  it('has each name once', () => {
    const names = Object.values(AREAS).flatMap((area) => Object.keys(area));
    assert.deepEqual(names.toSorted(), Object.keys(LINES).toSorted());
    assert.equal(new Set(names).size, names.length);
  });

  it('says of each line what it means, and from a warning on what to do', () => {
    for (const [name, { level, meaning, remedy }] of lines) {
      assert.match(name, /^[a-z]+(_[a-z]+)+$|^stopped$|^statistics$/);
      assert.match(meaning, /^.{20,}\.$/, name);
      if (level !== 'debug' && level !== 'info') assert.ok(remedy && remedy.length > 10, name);
    }
  });

  it('has texts whose fields it declares and that are always there', () => {
    for (const [name, line] of lines)
      for (const field of fieldsIn(line)) {
        const declared = { ...line.fields, ...(line.everyMs && { count: 'count' }) };
        assert.ok(field in declared, `${name}: {${field}}`);
      }
  });

  it('has no field that pino or the log adds, and calls errors err', () => {
    for (const [name, { fields = {} }] of lines)
      for (const [field, kind] of Object.entries(fields)) {
        assert.ok(!TAKEN.includes(field), `${name}: ${field}`);
        assert.equal(field === 'err', kind.startsWith('error'), `${name}: ${field}`);
      }
  });

  it('has no line that nothing writes', () => {
    for (const [name] of lines)
      assert.ok(
        sources.some(({ code }) => code.includes(`'${name}'`)),
        name,
      );
  });
});

describe('only src/log', () => {
  it('imports pino', () => {
    const importers = sources
      .filter(({ code }) => /from 'pino(?:-pretty)?'/.test(code))
      .map(({ path }) => path);
    assert.deepEqual(importers.toSorted(), ['log/log.ts', 'log/logger.ts']);
  });

  it('calls the levels of a logger, or writes to the console', () => {
    for (const { path, code } of sources) {
      assert.doesNotMatch(code, /\blog(?:ger)?\)?\.(?:trace|debug|info|warn|error|fatal)\(/i, path);
      assert.doesNotMatch(code, /\bconsole\./, path);
    }
  });
});

describe('the words for operators', () => {
  const metrics = new Set(METRICS.map(({ name }) => name));
  const words = ({ meaning, look = '', remedy = '', ...line }: Line | Finding) =>
    ['text' in line ? line.text : '', meaning, look, remedy].join('\n');

  const findings = Object.entries(COMPONENTS).flatMap(([component, { findings }]) =>
    Object.entries<Finding>(findings).map(([name, one]) => [`${component} ${name}`, one] as const),
  );

  it('name settings, figures and a port that exist', () => {
    for (const [name, line] of [...lines, ...findings]) {
      for (const [setting] of words(line).matchAll(
        /\b(?:TCP|KAFKA|SPOOL|HTTP|SHUTDOWN|STATS|LOG)_[A-Z_]+\b/g,
      ))
        assert.ok((SETTING_NAMES as readonly string[]).includes(setting), `${name}: ${setting}`);
      for (const [metric] of words(line).matchAll(/\bsluice_[a-z_]+/g))
        assert.ok(metrics.has(metric), `${name}: ${metric}`);
      for (const [, port] of words(line).matchAll(/\blocalhost:(\d+)/g))
        assert.equal(port, aboutSetting('HTTP_PORT').default, name);
    }
  });
});
