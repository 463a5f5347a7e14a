// `sluice token` as a program: its output, its exit codes, and the file after it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryDirectory } from '../support/directory.ts';
import { type ProgramOptions, runProgram } from '../support/program.ts';

const token = (args: readonly string[], options?: ProgramOptions) =>
  runProgram('src/main.js', ['token', ...args], options);
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const modeOf = (path: string) => statSync(path).mode & 0o777;

test('add prints a token of 256 bits once, and the file, for its owner only, keeps its hash', async (t) => {
  const directory = temporaryDirectory(t);
  const file = join(directory, 'tokens');
  const added = await token(['add', 'roof-7', '--file', file]);
  assert.equal(added.code, 0, added.err);
  const [, value = ''] = /^(sluice_([\w-]{43}))\n$/.exec(added.out) ?? [];
  assert.notEqual(value, '');
  assert.ok(!added.err.includes(value));
  assert.equal(readFileSync(file, 'utf8'), `sha256:${sha256(value)}  roof-7  roof-7\n`);
  assert.equal(modeOf(file), 0o600);
  // The setting names the file too.
  const env = { TCP_TOKENS_FILE: file };
  assert.equal((await token(['add', 'north hall', '--devices', 'north-*,gate'], { env })).code, 0);
  const listed = await token(['list'], { env });
  assert.match(
    listed.out,
    /^NAME +DEVICES +SHA256\nroof-7 +roof-7 +\w{12}\.\.\.\nnorth hall +north-\*,gate +\w{12}\.\.\.\n$/,
  );
  const json = JSON.parse((await token(['list', '--json'], { env })).out) as { name: string }[];
  assert.deepEqual(json[0], { hash: sha256(value), ids: ['roof-7'], name: 'roof-7' });
  assert.deepEqual(readdirSync(directory), ['tokens']);
});

test('revoke removes the named lines and keeps all others with their comments', async (t) => {
  const file = join(temporaryDirectory(t), 'tokens');
  const line = (name: string) => `sha256:${sha256(name)}  *  ${name}\n`;
  writeFileSync(file, `# fleet\n${line('one')}\n${line('two')}${line('three')}# end`, { mode: 0o640 });
  // With --file no setting is looked at.
  const missing = await token(['revoke', 'one', 'four', '--file', file], { env: { TCP_PORT: 'wrong' } });
  assert.equal(missing.code, 1);
  assert.match(missing.err, /nothing was revoked: no token is named 'four'/);
  assert.equal((await token(['revoke', 'one', 'two', '--file', file])).code, 0);
  assert.equal(readFileSync(file, 'utf8'), `# fleet\n\n${line('three')}# end`);
  // A group that may read it is there on purpose: the gateway's.
  assert.equal(modeOf(file), 0o640);
  assert.equal((await token(['add', 'five', '--file', file])).code, 0);
  assert.match(readFileSync(file, 'utf8'), /# end\nsha256:\w{64} {2}five {2}five\n$/);
});

test('edits at the same time lose nothing, with and without the kernel’s lock', async (t) => {
  for (const [kind, env] of [
    ['flock', {}],
    ['no flock', { PATH: '/nowhere' }],
  ] as const) {
    const directory = temporaryDirectory(t);
    const file = join(directory, 'tokens');
    writeFileSync(file, `sha256:${sha256('x')}  *  gone\n`);
    const names = Array.from({ length: 3 }, (_, n) => `device-${n}`);
    const ends = await Promise.all([
      ...names.map((name) => token(['add', name, '--file', file], { env })),
      token(['revoke', 'gone', '--file', file], { env }),
    ]);
    assert.deepEqual(
      new Set(ends.map(({ code }) => code)),
      new Set([0]),
      `${kind}: ${ends.map(({ err }) => err)}`,
    );
    const left = [...readFileSync(file, 'utf8').matchAll(/(\S+)\n/g)].map(([, name]) => name);
    assert.deepEqual(left.toSorted(), names, kind);
    assert.deepEqual(readdirSync(directory), ['tokens']);
  }
});

test('what an edit that was killed has left behind does not stop the next one', async (t) => {
  const file = join(temporaryDirectory(t), 'tokens');
  writeFileSync(`${file}.new`, 'half');
  assert.equal((await token(['add', 'a', '--file', file])).code, 0);
  assert.ok(!existsSync(`${file}.new`));
});

test('a file that everybody could read is narrowed, a symlink stays one', async (t) => {
  const directory = temporaryDirectory(t);
  mkdirSync(join(directory, 'data'));
  const file = join(directory, 'data', 'tokens');
  writeFileSync(file, '');
  chmodSync(file, 0o644);
  const link = join(directory, 'link');
  symlinkSync('data/tokens', link);
  const added = await token(['add', 'a', '--file', link]);
  assert.equal(added.code, 0);
  assert.match(added.err, /was readable for every user and is now readable for its owner only/);
  assert.equal(modeOf(file), 0o600);
  assert.ok(lstatSync(link).isSymbolicLink());
  assert.match(readFileSync(file, 'utf8'), / {2}a {2}a\n$/);
});

test('a token that cannot be printed is not added', async (t) => {
  const file = join(temporaryDirectory(t), 'tokens');
  const text = `# fleet\nsha256:${sha256('x')}  *  one\n`;
  writeFileSync(file, text);
  const main = fileURLToPath(new URL('../../src/main.js', import.meta.url));
  const { status, stderr } = spawnSync(process.execPath, [main, 'token', 'add', 'two', '--file', file], {
    stdio: ['ignore', openSync('/dev/full', 'w'), 'pipe'],
    encoding: 'utf8',
  });
  assert.equal(status, 1);
  assert.match(stderr, /nothing was added: the token cannot be printed \(ENOSPC/);
  assert.equal(readFileSync(file, 'utf8'), text);
});

test('what cannot be done changes nothing and has an exit code of its own', async (t) => {
  const directory = temporaryDirectory(t);
  const file = join(directory, 'tokens');
  const text = `sha256:${sha256('x')}  *  one\n`;
  writeFileSync(file, text);
  const broken = join(directory, 'broken');
  writeFileSync(broken, `${text}my-secret-token  a  name\n`);
  const pasted = `sluice_${'A'.repeat(43)}`;
  const cases = [
    [['add', 'a', '--file', ''], 78, /no file of tokens/],
    [['list'], 78, /no file of tokens is named: set TCP_TOKENS_FILE, or use --file/],
    [['add', 'one', '--file', file], 1, /a token 'one' exists already/],
    [['revoke', 'two', '--file', file], 1, /no token is named 'two'/],
    [['revoke', pasted, '--file', file], 1, /no token is named '\[token hidden\]'/],
    [['revoke', 'one', '--file', join(directory, 'absent')], 1, /no token is named 'one'/],
    [['list', '--file', join(directory, 'absent')], 1, /ENOENT/],
    [['add', 'a', '--file', join(directory, 'absent', 'tokens')], 1, /ENOENT/],
    [['add', 'a', '--file', broken], 1, /broken: line 2: the hash is not sha256:/],
    [['list', '--file', broken], 1, /broken: line 2: the hash is not sha256:/],
    [['revoke', 'one', '--file', broken], 1, /broken: line 2/],
    [['add', pasted, '--file', file], 1, /'\[token hidden\]' is a token, and a name is shown to everybody/],
    [['add'], 64, /missing required argument 'name'/],
    [['add', 'a b', '--file', file], 64, /--devices is needed, because the name is no device_id/],
    [['add', 'a', '--devices', 'a b', '--file', file], 64, /allowed: device ids/],
    [['add', '#a', '--devices', '*', '--file', file], 64, /allowed: 1-64 printable/],
    [['revoke', '--file', file], 64, /missing required argument 'name'/],
    [['lst'], 64, /unknown command 'lst'/],
  ] as const;
  const ends = await Promise.all(cases.map(([args]) => token(args)));
  for (const [index, [args, code, message]] of cases.entries()) {
    const { code: found, out, err } = ends[index] ?? { code: null, out: '', err: '' };
    assert.equal(found, code, args.join(' '));
    assert.match(err, message);
    assert.doesNotMatch(err + out, /secret|AAAA/);
  }
  assert.equal(readFileSync(file, 'utf8'), text);
  assert.deepEqual(readdirSync(directory).toSorted(), ['broken', 'tokens']);
});
