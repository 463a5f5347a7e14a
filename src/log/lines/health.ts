// Log lines about the health of components: one when a component gets worse, and one when it is well again.
import type { LineTable } from '../line.ts';

export const HEALTH_LINES = {
  component_failed: {
    level: 'error',
    text: '{component} has failed: {reason}{advice}',
    fields: { component: 'text', finding: 'text', reason: 'text', advice: 'words' },
    meaning:
      'A component does not do its work. `finding` is its name in the table of components, which says what it means for the data.',
    look: '`curl -s localhost:9108/readyz?verbose`, and the table of components on this page',
    remedy: 'Do what the line says under “To do”.',
  },
  component_degraded: {
    level: 'warn',
    text: '{component} is degraded: {reason}{advice}',
    fields: { component: 'text', finding: 'text', reason: 'text', advice: 'words' },
    meaning:
      'A component works in part, or will not for long. `finding` is its name in the table of components, which says what it means for the data.',
    look: '`curl -s localhost:9108/readyz?verbose`, and the table of components on this page',
    remedy: 'Do what the line says under “To do”, before the component fails.',
  },
  component_recovered: {
    level: 'info',
    text: '{component} is well again, after {durationMs}',
    fields: { component: 'text', was: 'text', durationMs: 'ms' },
    meaning: 'The end of `component_failed` or `component_degraded`. `was` is the last finding.',
  },
} as const satisfies LineTable;
