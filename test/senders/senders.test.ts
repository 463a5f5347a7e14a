// Senders that exist already, with the configurations of docs/senders.md, against a real gateway and a real Kafka: through an
// outage of Kafka, a stop in order and a kill. The longer run, which wrote the page's table, is `npm run senders`.
import assert from 'node:assert/strict';
import { type PlayOptions, play, type SenderResult, type Tally } from '../../scripts/senders/play.ts';
import { SENDERS } from '../../scripts/senders/senders.ts';
import { kafkaTest, uniqueTopic } from '../support/kafka.ts';
import { presentTools } from './support.ts';

const MESSAGES = 180;
const RATE = 60;
/** While a connection breaks: what lies in buffers, and on a busy machine what a slow sender writes meanwhile. */
const MAX_ON_THE_WAY = MESSAGES / 3;

kafkaTest(
  'every sender brings all its messages through an outage of Kafka, and comes back after a restart',
  async ({ bootstrap }, t) => {
    const tools = presentTools(t, SENDERS);
    if (tools === undefined) return;
    const options: PlayOptions = {
      bootstrap,
      topic: uniqueTopic('senders'),
      tools,
      senders: SENDERS,
      messages: MESSAGES,
      rate: RATE,
      // Without a second attempt records go to the disk at once, so the outage can be short.
      env: { KAFKA_MAX_ATTEMPTS: '1' },
    };
    const { senders: results, spooled } = await play(options);
    for (const { sender, tallies } of results) t.diagnostic(`${sender.name}: ${JSON.stringify(tallies)}`);
    assert.ok(spooled > 0, 'records wait on the disk while Kafka is away');
    for (const result of results) assertResult(result);
  },
);

function assertResult({ sender, tallies }: SenderResult): void {
  const [away, stopped, killed] = tallies as [Tally, Tally, Tally];
  const { name, mayRepeat = 0 } = sender;
  for (const { twice, outOfOrder } of tallies) {
    assert.ok(twice <= mayRepeat, `${name}: ${twice} twice`);
    assert.ok(outOfOrder <= mayRepeat, `${name}: ${outOfOrder} out of order`);
  }
  assert.equal(away.lost, 0, `${name}: lost while Kafka was away`);
  if (sender.seesFin) assert.equal(stopped.lost, 0, `${name}: lost at a stop in order`);
  if (!sender.keeps) return;
  for (const { lost, endsWell } of [stopped, killed]) {
    assert.ok(lost < MAX_ON_THE_WAY, `${name}: ${lost} lost`);
    assert.ok(endsWell, `${name}: its last message is missing`);
  }
}
