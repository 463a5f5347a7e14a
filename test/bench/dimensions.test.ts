// The points of a scaling run: which there are, and which cannot be measured here.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as zlib from 'node:zlib';
import { BASE, DIMENSIONS, keyOf, obstacleTo, pointAt, settingsOf } from '../../bench/scaling/dimensions.ts';

describe('the points of a scaling run', () => {
  it('are one base point, and points that differ from it in one dimension', () => {
    for (const dimension of DIMENSIONS) {
      assert.ok(dimension.values.includes(BASE[dimension.name]), dimension.name);
      for (const value of dimension.values) {
        const point = pointAt(dimension, value);
        const varied = DIMENSIONS.filter(({ name }) => point[name] !== BASE[name]).map(({ name }) => name);
        assert.deepEqual(varied, value === BASE[dimension.name] ? [] : [dimension.name]);
        assert.equal(keyOf(point) === keyOf(BASE), varied.length === 0);
        if (dimension.setting) assert.equal(settingsOf(point)[dimension.setting], String(value));
      }
    }
  });

  it('that this machine or Node cannot run are listed with the reason', () => {
    assert.equal(obstacleTo(BASE), undefined);
    assert.match(obstacleTo({ ...BASE, connections: 1e9 }) ?? '', /1000000300 open files/);
    const zstd = obstacleTo({ ...BASE, codec: 'zstd' });
    if ('zstdCompress' in zlib) assert.equal(zstd, undefined);
    else assert.match(zstd ?? '', /^KAFKA_COMPRESSION=zstd needs Node 22\.15 or later, this is v[\d.]+$/);
  });
});
