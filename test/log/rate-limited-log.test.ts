import assert from 'node:assert/strict';
import { it, mock } from 'node:test';
import { type RateLimited, rateLimited } from '../../src/log/rate-limited-log.ts';

/** Mocked timers and a clock that move together. */
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

it('the first event is reported at once, the others of the interval together at its end', () => {
  withClock((warn, said, pass) => {
    for (let call = 0; call < 5; call += 1) warn();
    assert.deepEqual(said, [1]);
    pass(99);
    assert.deepEqual(said, [1]);
    pass(1);
    assert.deepEqual(said, [1, 4]);
  });
});

it('every event is reported exactly once', () => {
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

it('after a quiet interval the next event is reported at once again', () => {
  withClock((warn, said, pass) => {
    warn();
    pass(100);
    warn();
    assert.deepEqual(said, [1, 1]);
  });
});

it('flush reports counted events, and nothing if there are none', () => {
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
