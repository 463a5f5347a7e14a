// The reserve of descriptors of this process, whose limit on open files the test lowers.
import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import { test } from 'node:test';
import { DescriptorReserve } from '../../src/server/descriptor-reserve.ts';
import { testLog } from '../support/log.ts';
import { limitOpenFiles, lowestFreeDescriptor } from '../support/open-files.ts';

const open = (): number => openSync('/dev/null', 'r');

test('devices that come at once cannot take the last descriptor', (t) => {
  const lines: string[] = [];
  const reserve = new DescriptorReserve(testLog({}, { write: (line: string) => lines.push(line) }));
  t.after(() => reserve.close());
  limitOpenFiles(process.pid, lowestFreeDescriptor(process.pid) + 40);
  t.after(() => limitOpenFiles(process.pid, 4096));
  const devices: number[] = [];
  t.after(() => devices.forEach(closeSync));

  // As a device port does: a device that is refused gives its descriptor back.
  for (let refused = 0; refused < 10; ) {
    const device = open();
    reserve.accepted(device);
    if (reserve.exhausted) {
      closeSync(device);
      refused++;
    } else devices.push(device);
  }

  assert.ok(devices.length >= 39, `${devices.length} devices were taken`);
  assert.match(lines.join(), /has run out of open files/);
  const others = Array.from({ length: 33 }, open);
  others.forEach(closeSync);
});
