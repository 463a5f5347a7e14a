// Adds the health of all components and the readiness to the figures of the gateway. One object for the whole gateway: it
// remembers the findings of before, because a limit that a figure hovers at ends later than it begins.
import type { Figures, Snapshot } from '../admin/snapshot.ts';
import type { Settings } from '../config/settings.ts';
import { assess } from './assess.ts';
import type { Component } from './component.ts';
import type { Phase } from './found.ts';
import { readinessOf } from './readiness.ts';

type HealthSettings = Pick<Settings, 'HTTP_READY_REQUIRES' | 'TCP_JOB_QUEUE_FULL'>;

export class Health {
  readonly #settings: HealthSettings;
  readonly #phase: () => Phase;
  #before: readonly Component[] = [];

  constructor(settings: HealthSettings, phase: () => Phase) {
    this.#settings = settings;
    this.#phase = phase;
  }

  addTo(figures: Figures): Snapshot {
    const phase = this.#phase();
    const before = this.#before;
    const components = assess(figures, {
      phase,
      dropsLines: this.#settings.TCP_JOB_QUEUE_FULL === 'drop',
      had: (component, finding) => before.some(({ id, finding: was }) => id === component && was === finding),
    });
    this.#before = components;
    const readiness = readinessOf(figures, components, {
      phase,
      requires: this.#settings.HTTP_READY_REQUIRES,
    });
    return { ...figures, readiness, components };
  }
}
