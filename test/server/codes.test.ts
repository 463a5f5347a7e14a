// Each reply code ends its connection or leaves it open, as the table of codes says.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { CODE_NAMES, CODES } from '../../src/protocol/codes.ts';
import { Device } from '../support/device.ts';
import { listen, sinkOf } from './stage.ts';

for (const code of CODE_NAMES) {
  const isKept = CODES[code].effect === 'keep';
  it(`a line refused with ${code} leaves its connection ${isKept ? 'open' : 'closed'}`, async (t) => {
    let handled = 0;
    const sink = sinkOf((job) => {
      handled++;
      job.session.refuse({ code, message: 'for the test' }, job);
      job.session.done();
      return true;
    });
    const device = await Device.identified((await listen(t, sink)).port);
    device.send('{}\n{}\n');
    if (isKept) {
      for (let i = 0; i < 2; i++) assert.equal((await device.read()).code, code);
      assert.equal(device.ended, false);
      device.destroy();
    } else {
      assert.deepEqual(await device.restCodes(), [code]);
    }
    assert.equal(handled, isKept ? 2 : 1);
  });
}
