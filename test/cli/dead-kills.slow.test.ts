// `sluice dead resend` killed with SIGKILL at its steps, started twice at once, and with a Kafka that loses an answer:
// each letter is sent once.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { kafkaTest } from '../support/kafka.ts';
import { DeadPlace, recordLetter, valuesUpTo } from './dead-place.ts';
import { collect } from './spool-place.ts';

const PRELOAD = new URL('kill-at.js', import.meta.url).href;
/** Each run of a lane is killed some steps later than the one before, and goes on from the state that it left. */
const STEPS = 48;
const LANES = 3;
/** Every second step in each test run: the odd ones or the even ones. test/crash tries all. */
const STRIDE = 2 * LANES;
/** The rest of a killed run has fewer steps than a whole one, so new letters come now and then. */
const NEW_LETTERS_EVERY = 3;

describe('dead resend, ended early', () => {
  kafkaTest('killed at any of its steps, it loses and doubles nothing', async ({ bootstrap }, t) => {
    const lane = async (first: number) => {
      const place = new DeadPlace(t, bootstrap);
      await place.createTopics();
      let [written, kills] = [0, 0];
      for (let at = first; at <= STEPS; at += STRIDE) {
        if ((at - first) % (NEW_LETTERS_EVERY * STRIDE) === 0) {
          await place.write([recordLetter(written), recordLetter(written + 1)]);
          written += 2;
        }
        const child = place.begin(['resend', '--yes'], {
          NODE_OPTIONS: `--import=${PRELOAD}`,
          KILL_AT: `${at}`,
        });
        const { code, err } = await collect(child);
        if (child.signalCode === 'SIGKILL') kills++;
        else assert.equal(code, 0, err);
      }
      await place.ok('resend', '--yes');
      assert.deepEqual((await place.readings(written)).sort(), valuesUpTo(written));
      return kills;
    };
    const isOdd = Math.random() < 0.5;
    const firsts = Array.from({ length: LANES }, (_, index) => 2 * index + (isOdd ? 1 : 2));
    const kills = await Promise.all(firsts.map(lane));
    t.diagnostic(`killed ${kills.join(' + ')} times at ${isOdd ? 'odd' : 'even'} steps`);
    assert.ok(kills.every((count) => count >= 3));
  });

  kafkaTest('of two runs at once one is refused', async ({ bootstrap }, t) => {
    const place = new DeadPlace(t, bootstrap);
    await place.createTopics();
    await place.write(Array.from({ length: 20 }, (_, n) => recordLetter(n)));
    const runs = await Promise.all([place.run(['resend', '--yes']), place.run(['resend', '--yes'])]);
    const refused = runs.filter(({ code }) => code === 78);
    for (const { err } of refused) assert.match(err, /another `sluice dead resend` is at work here/);
    assert.ok(runs.some(({ code }) => code === 0));
    assert.deepEqual((await place.readings(20)).sort(), valuesUpTo(20));
  });
});
