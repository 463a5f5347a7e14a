import assert from 'node:assert/strict';
import { it, mock } from 'node:test';
import { type RateLimited, rateLimited } from '../../src/log/rate-limited-log.ts';

/** Timers and clock move together. */
function withClock(check: (warn: RateLimited, said: number[], pass: (ms: number) => void) => void): void {
  mock.timers.enable({ apis: ['setTimeout'] });
  let nowMs = 1000;
  const said: number[] = [];
  try {
    const warn = rateLimited({ everyMs: 100, now: () => nowMs }, (count) => said.push(count));
    check(warn, said, (ms) => {
      nowMs += ms;
      mock.timers.tick(ms);
    });
  } finally {
    mock.timers.reset();
  }
}

it('the first is said at once, the others of the interval together at its end', () => {
  withClock((warn, said, pass) => {
    for (let call = 0; call < 5; call += 1) warn();
    assert.deepEqual(said, [1]);
    pass(99);
    assert.deepEqual(said, [1]);
    pass(1);
    assert.deepEqual(said, [1, 4]);
  });
});

it('each line stands for its count and none is lost or said twice', () => {
  withClock((warn, said, pass) => {
    for (let call = 0; call < 1000; call += 1) {
      warn();
      pass(7);
    }
    warn.flush();
    assert.equal(
      said.reduce((sum, count) => sum + count, 0),
      1000,
    );
    assert.ok(said.length <= 72, `${said.length} lines in 7 s at most one each 100 ms`);
  });
});

it('after a quiet interval the next is said at once again', () => {
  withClock((warn, said, pass) => {
    warn();
    pass(100);
    warn();
    assert.deepEqual(said, [1, 1]);
  });
});

it('flush says what is counted, and nothing where nothing is', () => {
  withClock((warn, said, pass) => {
    warn.flush();
    warn();
    warn();
    warn();
    warn.flush();
    warn.flush();
    pass(1000);
    assert.deepEqual(said, [1, 2]);
  });
});
