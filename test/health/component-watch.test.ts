// The lines about components, from states that are told every second.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Component, State } from '../../src/health/component.ts';
import { ComponentWatch } from '../../src/health/component-watch.ts';
import { recordedLog } from '../support/log.ts';

const component = (id: string, state: State, finding: string): Component => ({
  id,
  state,
  finding,
  reason: `${id} is ${finding}`,
  remedy: state === 'ok' ? null : 'mend it',
});
const OK = component('spool', 'ok', 'ok');
const NEARLY = component('spool', 'degraded', 'nearly_full');
const FULL = component('spool', 'failed', 'full');
const PAUSING = component('buffer', 'failed', 'full');

/** Tells the components one after the other, each list for so many seconds. */
function told(...parts: readonly (readonly [seconds: number, ...components: Component[]])[]) {
  const { log, lines } = recordedLog();
  const watch = new ComponentWatch(log);
  let now = 5_000;
  for (const [seconds, ...components] of parts)
    for (let second = 0; second < seconds; second++) {
      watch.look({ components, connections: 30, pausedConnections: 20 }, now);
      now += 1000;
    }
  return { names: lines.map(({ event }) => event), lines };
}

describe('the log of components', () => {
  it('has a warning, an error and an end for a spool that fills and drains, each once', () => {
    const { names, lines } = told(
      [5, OK],
      [40, NEARLY],
      [40, FULL],
      [20, NEARLY],
      [20, component('spool', 'degraded', 'draining')],
    );
    assert.deepEqual(names, ['component_degraded', 'component_failed', 'component_recovered']);
    assert.deepEqual(
      lines.map(({ level }) => level),
      [40, 50, 30],
    );
    assert.equal(lines[0]?.msg, 'spool is degraded: spool is nearly_full. To do: mend it');
    assert.equal(lines[2]?.msg, 'spool is well again, after 1m 40s');
  });

  it('has an error while devices are paused, with their number, and a line when they are read again', () => {
    const { names, lines } = told([2, OK], [100, PAUSING], [20, OK]);
    assert.deepEqual(names, ['devices_paused', 'devices_resumed']);
    assert.match(
      lines[0]?.msg ?? '',
      /^Devices are paused \(20 of 30\), because memory.*Nothing is dropped, devices wait. To do: bring Kafka back/,
    );
    assert.equal(lines[0]?.level, 50);
    assert.equal(told([700, PAUSING]).names.length, 3, 'every five minutes');
  });

  it('does not tell what passes within moments, or what another line tells', () => {
    const unreadable = component('spool', 'degraded', 'unreadable');
    assert.deepEqual(told([2, unreadable], [9, OK], [1, FULL], [9, OK]).names, []);
    const elsewhere = [
      component('kafka', 'failed', 'unreachable'),
      component('topic a', 'failed', 'held'),
      component('processes', 'degraded', 'missing'),
    ];
    assert.deepEqual(told([99, ...elsewhere]).names, []);
    const queue = component('queue', 'degraded', 'full');
    assert.deepEqual(told([99, PAUSING, queue]).names, ['devices_paused']);
    assert.deepEqual(told([99, queue]).names, ['component_degraded']);
    const letters = component('dead_letters', 'degraded', 'waiting');
    assert.deepEqual(told([99, component('kafka', 'failed', 'unreachable'), letters]).names, []);
    assert.deepEqual(told([99, component('kafka', 'ok', 'ok'), letters]).names, ['component_degraded']);
  });

  it('warns at once of a spool that is nearly full, because a small disk is full seconds later', () => {
    assert.deepEqual(told([5, OK], [1, NEARLY], [9, FULL]).names, ['component_degraded', 'component_failed']);
  });

  it('tells a state again that comes back after the better one had lasted', () => {
    assert.deepEqual(told([9, FULL], [30, NEARLY], [9, FULL]).names, ['component_failed']);
    const { names } = told([9, FULL], [90, NEARLY], [9, FULL]);
    assert.deepEqual(names, ['component_failed', 'component_failed']);
  });

  it('has few lines of a state that comes and goes', () => {
    const flaps = Array.from({ length: 50 }, () => [[4, NEARLY] as const, [12, OK] as const]).flat();
    assert.ok(told(...flaps).names.length < 8, `${told(...flaps).names}`);
  });
});
