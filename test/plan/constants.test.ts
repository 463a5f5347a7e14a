// The file of constants: measured by the command, complete, and refused if it is not.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import {
  CONSTANT_NAMES,
  CONSTANTS,
  CONSTANTS_FILE,
  ConstantsError,
  type ConstantsFile,
  readConstantsFile,
} from '../../plan/constants.ts';

describe('plan/constants.json', () => {
  const { constants } = readConstantsFile();

  it('has every constant with its unit, and nothing else', () => {
    assert.deepEqual(Object.keys(constants), CONSTANT_NAMES);
    for (const name of CONSTANT_NAMES) assert.equal(constants[name].unit, CONSTANTS[name].unit, name);
  });

  it('was written by the calibration: command, machine, versions, date, and the range of the runs', () => {
    for (const name of CONSTANT_NAMES) {
      const { value, low, high, source, machine, versions, at } = constants[name];
      assert.match(
        source,
        new RegExp(`^npm run plan -- calibrate --only ${CONSTANTS[name].part} --runs \\d+ `),
        name,
      );
      assert.match(machine, /^.+, \d+ cores, \d+ GiB, linux$/, name);
      assert.match(versions, /^Sluice .*, Node v.*, Kafka .*/, name);
      assert.ok(Date.parse(at) > Date.UTC(2026, 10, 1), name);
      assert.ok(low <= value && value <= high && value >= 0, `${name}: ${low} ${value} ${high}`);
    }
  });

  it('is refused with the way to mend it if a constant is missing, has no unit, or the file is no JSON', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'sluice-plan-'));
    const url = pathToFileURL(join(directory, 'constants.json'));
    const refused = async (text: string): Promise<void> => {
      await writeFile(url, text);
      assert.throws(
        () => readConstantsFile(url),
        (error) => error instanceof ConstantsError && error.message.includes('npm run plan -- calibrate'),
      );
    };
    try {
      const whole = JSON.parse(await readFile(CONSTANTS_FILE, 'utf8')) as ConstantsFile;
      const { messageUs, ...rest } = whole.constants;
      await refused(JSON.stringify({ constants: rest }));
      const { unit: _, ...unitless } = messageUs;
      await refused(JSON.stringify({ constants: { ...rest, messageUs: unitless } }));
      await refused(JSON.stringify({ constants: { ...whole.constants, another: messageUs } }));
      await refused('{');
      await writeFile(url, JSON.stringify(whole));
      assert.deepEqual(readConstantsFile(url), whole);
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
