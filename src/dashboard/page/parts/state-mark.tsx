// A state as a shape and a word: colour alone tells nothing to people who do not see it.
import type { ComponentState } from '../api/shapes.ts';

const SHAPES: Readonly<Record<ComponentState, string>> = {
  ok: 'M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm3.6 5.1-4.2 5.1a.9.9 0 0 1-1.3.1L4.3 9.6l1.1-1.2 1.2 1 3.7-4.4Z',
  degraded: 'M8 1.2 15.4 14.4H.6ZM7.2 6v4.2h1.6V6Zm0 5.2v1.6h1.6v-1.6Z',
  failed:
    'M5 1h6l4 4v6l-4 4H5l-4-4V5ZM5.2 4 4 5.2 6.8 8 4 10.8 5.2 12 8 9.2l2.8 2.8 1.2-1.2L9.2 8 12 5.2 10.8 4 8 6.8Z',
  unknown:
    'M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm0 1.6a5.4 5.4 0 1 1 0 10.8A5.4 5.4 0 0 1 8 2.6Zm-.8 8.2v1.6h1.6v-1.6ZM8 4C6.500 4 5.600 5 5.500 6.200h1.500c0-.5.4-.8 1-.8s1 .4 1 .9c0 .9-1.800 1-1.800 2.900h1.500c0-1.300 1.800-1.400 1.800-3C10.500 4.900 9.500 4 8 4Z',
};

export function StateMark({
  state,
  word = state,
}: {
  readonly state: ComponentState;
  readonly word?: string;
}) {
  return (
    <span class={`mark mark-${state}`}>
      <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
        <path fill-rule="evenodd" d={SHAPES[state]} />
      </svg>
      {word}
    </span>
  );
}
