import assert from 'node:assert/strict';
import { it } from 'node:test';
import { ConnectionTable } from '../../src/processes/connection-table.ts';

const DEVICE = { zipcode: '90210', deviceId: 'station-7' };

it('gives each new connection to the process with the fewest, also after some have ended', () => {
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

it('finds the older connection of a device only if it is in another process', () => {
  const table = new ConnectionTable();
  const [first, second, third] = [table.add(0, 'a'), table.add(1, 'b'), table.add(1, 'c')];
  assert.equal(table.identified(first, DEVICE), undefined);
  assert.deepEqual(table.identified(second, DEVICE), { number: first, process: 0 });
  assert.equal(table.identified(third, DEVICE), undefined);
  // The end of the older connection changes nothing for the device.
  assert.equal(table.remove(first), 'a');
  assert.deepEqual(table.identified(table.add(0, 'd'), DEVICE), { number: third, process: 1 });
});

it('counts each zipcode once, while a connection has it', () => {
  const table = new ConnectionTable();
  const numbers = [table.add(0, 'a'), table.add(1, 'a'), table.add(1, 'a')];
  for (const number of numbers) table.identified(number, { zipcode: '90210', deviceId: undefined });
  assert.equal(table.uniqueZipcodes, 1);
  for (const number of numbers) table.remove(number);
  assert.equal(table.uniqueZipcodes, 0);
});

it('forgets all connections of a crashed process, and returns their addresses', () => {
  const table = new ConnectionTable();
  table.identified(table.add(0, 'a'), DEVICE);
  table.add(0, 'b');
  const other = table.add(1, 'c');
  assert.deepEqual(table.removeAll(0), ['a', 'b']);
  assert.deepEqual([table.load(0), table.load(1), table.uniqueZipcodes], [0, 1, 0]);
  // The device of the crashed process is forgotten too, so there is no older connection.
  assert.equal(table.identified(other, DEVICE), undefined);
  assert.equal(table.remove(other), 'c');
  assert.equal(table.remove(other), undefined);
});
