// The partitions of a topic as one mark each, those with following numbers and equal states together in words.
import type { PartitionRun, TopicShape } from '../api/shapes.ts';

/** Few words, and how much an operator should care. */
const STATES: Readonly<Record<PartitionRun['state'], { readonly word: string; readonly level: string }>> = {
  memory: { word: 'flowing', level: 'ok' },
  leaving: { word: 'turning to disk', level: 'degraded' },
  disk: { word: 'through the disk', level: 'degraded' },
  'catching-up': { word: 'catching up', level: 'degraded' },
  held: { word: 'held', level: 'failed' },
  gone: { word: 'gone', level: 'unknown' },
};

/** More marks would not be told apart. */
const MAX_MARKS = 128;

export function PartitionStates({ topic }: { readonly topic: TopicShape }) {
  const { states = [] } = topic;
  if (states.length === 0) {
    return <span>{wordsWithout(topic)}</span>;
  }
  const marks = states.flatMap((run) =>
    Array.from({ length: Math.min(MAX_MARKS, run.last - run.first + 1) }, (_, at) => ({
      number: run.first + at,
      level: levelOf(run),
    })),
  );
  return (
    <div class="partitions">
      <span class="partition-marks" aria-hidden="true">
        {marks.slice(0, MAX_MARKS).map(({ number, level }) => (
          <span key={number} class={`partition partition-${level}`} title={`partition ${number}`} />
        ))}
      </span>
      <span>{states.map(wordsOf).join(', ')}</span>
    </div>
  );
}

/** No partition has had a record, or several processes have partitions of their own. */
function wordsWithout({ partitions, failing, held }: TopicShape): string {
  if (partitions === 0) return 'not known';
  return failing + held === 0 ? 'none in trouble' : `${failing} failing, ${held} held`;
}

const levelOf = ({ state, failing }: PartitionRun) => (failing ? 'failed' : STATES[state].level);

function wordsOf(run: PartitionRun): string {
  const range = run.first === run.last ? `${run.first}` : `${run.first}–${run.last}`;
  return `${range} ${STATES[run.state].word}${run.failing && run.state !== 'held' ? ', failing' : ''}`;
}
