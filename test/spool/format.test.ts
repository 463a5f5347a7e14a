// Reading and writing the version of a spool's format.
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { readFormat, refuseNewerFormats, SpoolFormatError, writeFormat } from '../../src/spool/format.ts';
import { temporaryDirectory } from './support.ts';

describe("the format of a spool's directory", () => {
  it('is 1 without the file and 2 once it is written', async (t) => {
    const directory = temporaryDirectory(t);
    assert.equal(await readFormat(directory), 1);
    await writeFormat(directory);
    assert.equal(await readFormat(directory), 2);
    assert.deepEqual(readdirSync(directory), ['format']);
  });

  it('is accepted without a checksum, as a person would write it', async (t) => {
    const directory = temporaryDirectory(t);
    for (const version of [1, 2] as const) {
      writeFileSync(join(directory, 'format'), `{"version":${version}}`);
      assert.equal(await readFormat(directory), version);
    }
  });

  it('is refused if it is newer, with exit code 78 and a message with directory, version and advice', async (t) => {
    const directory = temporaryDirectory(t);
    writeFileSync(join(directory, 'format'), '{"version":3}');
    await assert.rejects(readFormat(directory), (error) => {
      assert.ok(error instanceof SpoolFormatError);
      assert.deepEqual([error.code, error.exitCode, error.version], ['SPOOL_FORMAT', 78, 3]);
      assert.ok(error.message.includes(directory));
      assert.match(error.message, /version 3.* up to 2.*Start the newer program again.*drain/);
      return true;
    });
  });

  it('counts as damaged and never as newer if any bit of the file is flipped', async (t) => {
    const directory = temporaryDirectory(t);
    await writeFormat(directory);
    const path = join(directory, 'format');
    const whole = readFileSync(path);
    for (let bit = 0; bit < whole.length * 8; bit++) {
      const flipped = Buffer.from(whole);
      flipped.writeUInt8(whole.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      writeFileSync(path, flipped);
      assert.notEqual(await readFormat(directory), 1, `bit ${bit}`);
    }
    for (const text of ['', 'null', '[]', '{"version":0}', '{"version":"2"}', '{"version":2.5}']) {
      writeFileSync(path, text);
      assert.equal(await readFormat(directory), 'damaged', text);
    }
  });

  it('is checked in every part and its dead letters', async (t) => {
    for (const place of ['.', 'dead-letters', 'process-2', 'process-2/dead-letters']) {
      const root = temporaryDirectory(t);
      mkdirSync(join(root, 'process-2', 'dead-letters'), { recursive: true });
      writeFileSync(join(root, 'process-3'), 'a foreign file');
      await refuseNewerFormats(root);
      mkdirSync(join(root, place), { recursive: true });
      writeFileSync(join(root, place, 'format'), '{"version":3}');
      await assert.rejects(refuseNewerFormats(root), SpoolFormatError, place);
    }
  });
});
