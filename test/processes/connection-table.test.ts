import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ConnectionTable } from '../../src/processes/connection-table.ts';

const DEVICE = { zipcode: '90210', deviceId: 'station-7' };

describe('the table of connections over several processes', () => {
  it('sends each new connection where there are fewest, also after some have gone', () => {
    const table = new ConnectionTable();
    const place = () => {
      const process = table.leastLoaded([0, 1, 2]) as number;
      return { process, number: table.add(process, '127.0.0.1') };
    };
    const placed = Array.from({ length: 9 }, place);
    assert.deepEqual(
      [0, 1, 2].map((process) => table.load(process)),
      [3, 3, 3],
    );
    for (const { process, number } of placed) if (process === 1) table.remove(number);
    assert.deepEqual(
      [place(), place(), place()].map(({ process }) => process),
      [1, 1, 1],
    );
    assert.equal(table.leastLoaded([2]), 2);
    assert.equal(table.leastLoaded([]), undefined);
  });

  it('finds a device’s older connection in another process, and leaves one in the same process to it', () => {
    const table = new ConnectionTable();
    const [first, second, third] = [table.add(0, 'a'), table.add(1, 'b'), table.add(1, 'c')];
    assert.equal(table.identified(first, DEVICE), undefined);
    assert.deepEqual(table.identified(second, DEVICE), { number: first, process: 0 });
    assert.equal(table.identified(third, DEVICE), undefined);
    // What the older one does now does not concern the device any more.
    assert.equal(table.remove(first), 'a');
    assert.deepEqual(table.identified(table.add(0, 'd'), DEVICE), { number: third, process: 1 });
  });

  it('counts each zipcode once, as long as a connection has it', () => {
    const table = new ConnectionTable();
    const numbers = [table.add(0, 'a'), table.add(1, 'a'), table.add(1, 'a')];
    for (const number of numbers) table.identified(number, { zipcode: '90210', deviceId: undefined });
    assert.equal(table.uniqueZipcodes, 1);
    for (const number of numbers) table.remove(number);
    assert.equal(table.uniqueZipcodes, 0);
  });

  it('forgets all that a crashed process had, and says where it came from', () => {
    const table = new ConnectionTable();
    table.identified(table.add(0, 'a'), DEVICE);
    table.add(0, 'b');
    const other = table.add(1, 'c');
    assert.deepEqual(table.removeAll(0), ['a', 'b']);
    assert.deepEqual([table.load(0), table.load(1), table.uniqueZipcodes], [0, 1, 0]);
    // Its device is unknown again, not taken for an older connection.
    assert.equal(table.identified(other, DEVICE), undefined);
    assert.equal(table.remove(other), 'c');
    assert.equal(table.remove(other), undefined);
  });
});
