// The meaning of the words of the balance. The labels of the ledgers lead here.
import { Section } from '../parts/section.tsx';

const TERMS: readonly (readonly [id: string, name: string, meaning: string])[] = [
  ['received', 'Received', 'Lines that came from devices, also those that were refused.'],
  [
    'accepted',
    'Accepted',
    'Lines that were valid: identify, keepalives, and readings, which become records.',
  ],
  ['waiting', 'Waiting', 'Lines that are neither accepted nor refused yet: they wait for a worker.'],
  ['records', 'Accepted records', 'Readings that the gateway has taken. From here on it answers for them.'],
  ['recovered', 'Recovered', 'Records that an earlier process left in the spool.'],
  ['stored', 'Stored in Kafka', 'Records that Kafka has acknowledged.'],
  ['in-flight', 'In flight', 'Records in batches that are closed and that Kafka has not acknowledged yet.'],
  ['open', 'Open', 'Records in batches that still take more.'],
  [
    'dead-lettered',
    'Dead-lettered',
    'Records that Kafka refused for good. They are kept in the dead letters.',
  ],
  ['damaged', 'Damaged', 'Records lost to damage on the disk of the spool.'],
  [
    'identified',
    'Identified',
    'Devices that have said who they are. Before that, a connection may send nothing else.',
  ],
  ['tls', 'TLS handshake', 'Connections to the TLS port that are not served yet.'],
  [
    'place',
    'Waiting for a place',
    'Connections that wait for their PROXY header, or for a place by the limits on all and on their address.',
  ],
  [
    'abandoned',
    'Abandoned',
    'Records that were in a server process when it crashed. Those on its disk come back as recovered.',
  ],
];

export function TermsSection() {
  return (
    <Section id="terms" title="Terms">
      <dl class="card pad terms">
        {TERMS.map(([id, name, meaning]) => (
          <div key={id} id={`term-${id}`} tabIndex={-1}>
            <dt>{name}</dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
    </Section>
  );
}
