// Every command of every page is in commands.ts: run by a scene, run by a test that is named there, or not run for a reason.
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { faultsOf } from './command-checks.ts';
import { NOT_RUN, RUN, TESTED } from './commands.ts';
import {
  isCommand,
  isNamedBy,
  looksLikeCommand,
  PAGE_COMMANDS,
  PROGRAMS,
  scriptsWithOptions,
  spansOf,
  wholeCommand,
} from './page-commands.ts';
import { filesOfProject, PAGES, parsePage, ROOT, read } from './pages.ts';
import type { Step } from './scene.ts';
import { statementsOf } from './shell-statements.ts';

const run = Object.values<readonly Step[]>(RUN).flatMap((steps) => steps.map(({ command }) => command));
const tested = TESTED.flatMap(({ commands }) => commands);
const notRun = NOT_RUN.flatMap(({ commands }) => commands);
const listed = [...new Set([...run, ...tested, ...notRun])];
const namesOf = (text: string) => listed.filter((name) => isNamedBy(name, text));

describe('the list of commands', () => {
  it('has every command of every page', () => {
    const missing = PAGE_COMMANDS.filter(({ text }) => namesOf(text).length === 0);
    assert.deepEqual(
      missing.map(({ text, page, line }) => `${page}:${line}: ${text}`),
      [],
      'Add each to test/docs/commands.ts: run it there, name the test that runs it, or say why none does',
    );
  });

  it('has no command that no page has, and each only in one part', () => {
    const gone = listed.filter((name) => !PAGE_COMMANDS.some(({ text }) => isNamedBy(name, text)));
    assert.deepEqual(gone, []);
    const all = [...new Set(run), ...tested, ...notRun];
    assert.deepEqual(
      all.filter((name, index) => all.indexOf(name) !== index),
      [],
    );
  });

  it('has only scenes that a test of this folder plays', () => {
    const tests = readdirSync(join(ROOT, 'test/docs'))
      .filter((file) => file.startsWith('commands-') && file.endsWith('.test.ts'))
      .map((file) => read(`test/docs/${file}`))
      .join('\n');
    for (const name of Object.keys(RUN)) {
      const played = [`play(RUN.${name})`, `play(RUN['${name}'])`];
      assert.ok(
        played.some((text) => tests.includes(text)),
        name,
      );
    }
  });

  for (const { test, proof, commands } of TESTED) {
    it(`names ${test} rightly`, () => {
      const text = read(test);
      if (proof !== undefined) assert.ok(text.includes(proof), `${test} has no ${proof}`);
      else for (const command of commands) assert.ok(plain(text).includes(plain(command)), command);
    });
  }

  it('says why a command is not run', () => {
    for (const { why, test, commands } of NOT_RUN) {
      assert.ok(why.length > 20, why);
      if (test !== undefined) assert.ok(existsSync(join(ROOT, test)), test);
      assert.ok(commands.length > 0, why);
    }
  });
});

/** Text in which a command can be found, whether it is a string or a list of strings. */
const plain = (text: string) =>
  text
    .replace(/[\s'"`,[\](){}]+/g, ' ')
    .replace(/\\(.)/g, '$1')
    .trim();

describe('pages', () => {
  it('say the language of each fence, and use options only in what is known as a command', () => {
    for (const page of PAGES) {
      const { fences, prose } = parsePage(read(page));
      for (const { language, line } of fences)
        assert.notEqual(language, '', `${page}:${line}: \`\`\`sh for commands, \`\`\`text for output`);
      for (const { language, text, line } of fences) {
        // docs/scaling.md records there which measurements were made: `npm run docs` writes them.
        if (language !== 'text' || page === 'docs/scaling.md') continue;
        const [first = ''] = text.trim().split(/\s+/);
        const isOutput = !PROGRAMS.has(first) || /^\w+ {2,}/.test(text);
        assert.ok(isOutput, `${page}:${line}: commands belong into \`\`\`sh or \`\`\`console`);
      }
      for (const { text, line } of spansOf(prose)) {
        if (isCommand(text) || NO_COMMANDS.some((pattern) => pattern.test(text))) continue;
        assert.ok(
          !looksLikeCommand(text),
          `${page}:${line}: is \`${text}\` a command? Add its program to PROGRAMS in page-commands.ts, or it to NO_COMMANDS`,
        );
      }
    }
  });
});

/** Spans with a word that looks like an option. */
const NO_COMMANDS = [
  /^COPY --from$/,
  // Lines of the log.
  /\(ulimit -n\)/,
];

it('every command that is named can be read by the shell and by its program', {
  timeout: 120_000,
}, async () => {
  const sql = new Set(RUN.database.flatMap((step: Step) => (step.isSql ? [step.command] : [])));
  const faults = await faultsOf(listed.filter((name) => !sql.has(name)).map(wholeCommand));
  for (const meanings of PAGES.flatMap(scriptsWithOptions)) {
    const each = await Promise.all(meanings.map(({ text }) => faultsOf([text])));
    if (each.every((found) => found.length > 0)) faults.push(...each.flat());
  }
  assert.deepEqual(faults, []);
});

/** Options of other programs. */
const FOREIGN_OPTIONS = new Set(
  `--bootstrap-server --command-config --entity-type --cpu --cpus --env-file --heap-growing-percent --ignore-scripts --init
  --inspect --libc --max-semi-space-size --memory --no-parallel-scavenge --omit --read-only --replicas --restart
  --semi-space-growth-factor --set --single-threaded-gc --stop-timeout --tls-cipher-list --tmpfs --trace-gc
  --ulimit`.split(/\s+/),
);

it('every long option that a page names exists', () => {
  const sources = ['src', 'load', 'bench', 'conformance', 'scripts', 'simulation', 'plan', 'test/upgrade']
    .flatMap((folder) => filesOfProject('.ts').filter((file) => file.startsWith(`${folder}/`)))
    .map(read)
    .join('\n');
  const known = new Set([...sources.matchAll(/(?<![\w-])--[a-z][\w-]*/g)].map(([name]) => name));
  for (const [, name = ''] of sources.matchAll(/^\s*'?([a-z][\w-]*)'?: \{ ?type: '/gm))
    known.add(`--${name}`);
  const faults = PAGES.flatMap((page) =>
    spansOf(parsePage(read(page)).prose).flatMap(({ text, line }) => {
      const [name] = /^--[a-z][\w-]*/.exec(text) ?? [];
      const isKnown = name === undefined || known.has(name) || FOREIGN_OPTIONS.has(name);
      return isKnown ? [] : [`${page}:${line}: ${text}`];
    }),
  );
  assert.deepEqual(faults, []);
});

it('a script is divided into the commands that a person would paste', () => {
  const script = [
    'a b   # a comment',
    '# another',
    'c \\',
    '  d "e # f"',
    "cat >> x <<'END'",
    'A=1',
    'END',
    "f() {\n  g '%s'\n}",
    'node -e "\nh;\n"',
    '(i; j) | k #l',
  ];
  assert.deepEqual(statementsOf(script.join('\n')), [
    'a b',
    'c d "e # f"',
    "cat >> x <<'END'\nA=1\nEND",
    "f() {\n  g '%s'\n}",
    'node -e "\nh;\n"',
    '(i; j) | k',
  ]);
});
