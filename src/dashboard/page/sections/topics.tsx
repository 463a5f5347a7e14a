// The topics of Kafka and the states of their partitions.
import type { ComponentShape, SnapshotShape, TopicShape } from '../api/shapes.ts';
import { whole } from '../format/numbers.ts';
import { Cell } from '../parts/cell.tsx';
import { PartitionStates } from '../parts/partition-states.tsx';
import { Section } from '../parts/section.tsx';
import { StateMark } from '../parts/state-mark.tsx';
import { Table } from '../parts/table.tsx';

interface TopicsProps {
  readonly figures: SnapshotShape;
  readonly components: readonly ComponentShape[];
}

const COLUMNS = [
  ['Topic', 'name'],
  ['State', 'state'],
  ['Partitions', 'number'],
  ['By state'],
  ['Reason'],
] as const;

export function TopicsSection({ figures: { kafka, spool }, components }: TopicsProps) {
  const stateOf = (topic: string) => components.find(({ id }) => id === `topic ${topic}`)?.state ?? 'unknown';
  return (
    <Section
      id="topics"
      title="Topics"
      note={kafka.connected ? 'Kafka answers' : 'Kafka does not answer; the states are the last known'}
    >
      <div class="card scroll">
        <Table columns={COLUMNS}>
          {kafka.topics.map((topic) => (
            <tr key={topic.topic}>
              <th scope="row">
                {topic.topic}
                <span class="unit under">{topic.use}</span>
              </th>
              <Cell column="State">
                <StateMark state={stateOf(topic.topic)} />
              </Cell>
              <Cell column="Partitions" isNumber>
                {topic.partitions === 0 ? 'not known' : whole(topic.partitions)}
              </Cell>
              <Cell column="By state">
                <PartitionStates topic={topic} />
              </Cell>
              <Cell column="Reason" class="words">
                {reasonOf(topic)}
              </Cell>
            </tr>
          ))}
          {spool.otherTopics.map(({ topic, records, problem }) => (
            <tr key={`other ${topic}`}>
              <th scope="row">
                {topic}
                <span class="unit under">former topic, in the spool</span>
              </th>
              <Cell column="State">
                <StateMark state={stateOf(topic)} />
              </Cell>
              <Cell column="Partitions" isNumber />
              <Cell column="By state">{whole(records)} records wait</Cell>
              <Cell column="Reason" class="words">
                {problem ?? 'they are being sent'}
              </Cell>
            </tr>
          ))}
        </Table>
      </div>
    </Section>
  );
}

function reasonOf({ trouble, problems, lastError, failing, held }: TopicShape): string {
  const error = failing + held > 0 ? lastError : null;
  return trouble?.reason ?? problems[0] ?? error ?? '';
}
