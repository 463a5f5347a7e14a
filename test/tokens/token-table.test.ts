// The file of tokens and the decisions by it, without a gateway.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { parseTokens, TokenFileError, withoutNames } from '../../src/tokens/token-file.ts';
import { TokenTable } from '../../src/tokens/token-table.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const line = (token: string, ids: string, name: string) => `sha256:${sha256(token)}  ${ids}  ${name}\n`;
const tableOf = (text: string) => TokenTable.parse(Buffer.from(text));

describe('the file of tokens', () => {
  it('has comments, empty lines, tabs, CR LF, names with spaces and hashes in upper case', () => {
    const one = `\tsha256:${sha256('a').toUpperCase()}\ta,b-*\t north  hall\r\n`;
    const content = Buffer.from(`\ufeff# fleet\r\n\r\n${one}${line('b', '*', 'x#y')}`);
    const entries = [...parseTokens(content).values()];
    assert.deepEqual(entries, [
      { hash: sha256('a'), ids: ['a', 'b-*'], name: 'north  hall' },
      { hash: sha256('b'), ids: ['*'], name: 'x#y' },
    ]);
  });

  it('may be empty: then nobody may identify', () => {
    assert.deepEqual(tableOf('').check('x', 'a'), { reason: 'unknown' });
  });

  for (const [what, text, problem] of [
    ['a token in place of its hash', 'my-secret-token  a  name', /^line 1: the hash is not sha256:/],
    ['a short hash', `sha256:${'0'.repeat(63)} a name`, /^line 1: the hash is not/],
    ['no name', `sha256:${'0'.repeat(64)}  a`, /^line 1: hash, device ids and name are needed/],
    ['an id that is none', line('a', 'a,ä', 'name'), /^line 1: the device ids are not allowed/],
    ['an empty id', line('a', 'a,,b', 'name'), /^line 1: the device ids are not allowed/],
    ['spaces in its list', `sha256:${'0'.repeat(64)}  a, b  name`, /^line 1: the device ids are not allowed/],
    ['a space before a comma', `sha256:${'0'.repeat(64)}  a ,b  name`, /^line 1: the name is not allowed/],
    ['lines that end with CR alone', `# fleet\r${line('a', 'a', 'one')}`, /^line 1: a CR without an LF/],
    ['a name that turns the text around', line('a', 'a', 'n\u202eame'), /^line 1: the name is not allowed/],
    [
      'a hash twice',
      `#\n${line('a', 'a', 'one')}${line('a', 'b', 'two')}`,
      /^line 3: an earlier line has the same hash/,
    ],
    [
      'a name twice',
      line('a', 'a', 'one') + line('b', 'b', 'one'),
      /^line 2: an earlier line has the same name/,
    ],
    ['a million bad lines', 'my-secret-token\n'.repeat(1e6), /^line 1: .*line 5: [^;]*; and many more$/],
    ['seven bad lines', 'my-secret-token\n'.repeat(7), /^line 1: .*line 5: [^;]*; and 2 more$/],
  ] as const) {
    it(`is refused with ${what}, and the text shows no value`, () => {
      const thrown = (error: unknown) =>
        error instanceof TokenFileError && problem.test(error.message) && !error.message.includes('secret');
      assert.throws(() => parseTokens(Buffer.from(text)), thrown);
    });
  }

  it('is read within one look at each line, also if it has 100,000 of them', () => {
    const text = Array.from({ length: 100_000 }, (_, n) =>
      line(`token ${n}`, `device-${n},hall-*`, `name ${n}`),
    ).join('');
    // CPU time, because other tests run beside this one.
    const start = process.cpuUsage();
    assert.equal(parseTokens(Buffer.from(text)).size, 100_000);
    assert.ok(process.cpuUsage(start).user < 4_000_000);
  });

  it('is refused if it is not UTF-8', () => {
    assert.throws(() => parseTokens(Buffer.from([0x23, 0xff])), /it is not UTF-8/);
  });

  it('keeps everything else when a name goes', () => {
    const text = `# one\n${line('a', 'a', 'one')}\n# two\n${line('b', 'b', 'two')}`;
    assert.equal(withoutNames(text, new Set(['one'])), `# one\n\n# two\n${line('b', 'b', 'two')}`);
  });
});

describe('a token', () => {
  const table = tableOf(
    line('one', 'roof-7', 'single') +
      line('list', 'a,b,hall-*-x', 'list') +
      line('all', '*', 'all') +
      line('many', 'a*a*a*a*a*a*a*a*a*b', 'stars') +
      line('🌧ü', 'rain', 'rain'),
  );
  const isGranted = (token: string, deviceId?: string) => 'hash' in table.check(token, deviceId);

  it('is compared by its hash, and covers its ids and no others', () => {
    assert.deepEqual(table.check('one', 'roof-7'), { hash: sha256('one'), name: 'single' });
    assert.deepEqual(table.check('one', 'roof-8'), { reason: 'device_id', name: 'single' });
    assert.deepEqual(table.check('One', 'roof-7'), { reason: 'unknown' });
    assert.deepEqual(table.check('', 'roof-7'), { reason: 'unknown' });
    assert.deepEqual(table.check(undefined, 'roof-7'), { reason: 'missing' });
    // The hash of a token is not a token.
    assert.deepEqual(table.check(sha256('one'), 'roof-7'), { reason: 'unknown' });
    assert.ok(isGranted('🌧ü', 'rain'));
  });

  it('covers a list and patterns, which begin and end with the id', () => {
    for (const id of ['a', 'b', 'hall--x', 'hall-7-x']) assert.ok(isGranted('list', id), id);
    for (const id of ['', 'c', 'ab', 'hall-x', 'xhall-7-x', 'hall-7-xy', 'A'])
      assert.ok(!isGranted('list', id), id);
  });

  it('of a device without an id has to cover *', () => {
    assert.ok(isGranted('all') && isGranted('all', 'anything'));
    assert.ok(!isGranted('one') && !isGranted('list') && !isGranted('many'));
  });

  it('with a pattern of many * is checked at once', () => {
    const startMs = performance.now();
    for (let n = 0; n < 1000; n++) assert.ok(!isGranted('many', 'a'.repeat(64)));
    assert.ok(isGranted('many', `${'a'.repeat(63)}b`));
    assert.ok(performance.now() - startMs < 500);
  });

  it('is no longer allowed once another table lacks it or its id', () => {
    const grant = { hash: sha256('one'), name: 'single' };
    assert.ok(table.stillAllows(grant, 'roof-7'));
    assert.ok(!tableOf('').stillAllows(grant, 'roof-7'));
    assert.ok(!tableOf(line('one', 'roof-8', 'single')).stillAllows(grant, 'roof-7'));
    assert.ok(tableOf(line('one', 'roof-*', 'renamed')).stillAllows(grant, 'roof-7'));
  });
});
