// The health of all components, from the figures of one process or of all together. Pure: the same figures give the same
// components, except that a state at a limit is kept while the figure hovers there, for which it looks at the components
// of before.
//
// Rules against flapping: limits of a figure have two values, one that begins a finding and one that ends it (here).
// A condition that may last for moments only counts after some seconds, and ends after some seconds without it (gateway/health-watch.ts).
import type { Figures } from '../admin/snapshot.ts';
import type { Component } from './component.ts';
import { connections, processes, queue } from './device-components.ts';
import { certificates, clock } from './expiry-components.ts';
import type { Context } from './found.ts';
import { kafka, topics } from './kafka-components.ts';
import { buffer, deadLetters, presence, spool } from './storage-components.ts';

/** In the order in which they are shown. */
export function assess(figures: Figures, context: Context): readonly Component[] {
  return [
    kafka(figures),
    ...topics(figures),
    spool(figures, context),
    buffer(figures),
    queue(figures, context),
    connections(figures, context),
    processes(figures, context),
    certificates(figures),
    clock(figures, context),
    deadLetters(figures),
    ...presence(figures),
  ];
}
