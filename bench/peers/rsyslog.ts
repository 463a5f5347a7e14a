// rsyslog with imptcp and omkafka: imptcp rather than imtcp, as its documentation advises for many messages, and no limit on rates.
// The direct queue was the cheapest of those that were tried (decision 85): librdkafka has a queue of its own. Nothing is dropped: a
// message that librdkafka refuses is sent again, and meanwhile the reading waits.
import { join } from 'node:path';
import type { Peer, PeerPlace } from './peer.ts';

const file = 'rsyslog.conf';

export const RSYSLOG: Peer = {
  name: 'rsyslog',
  packages: 'rsyslog rsyslog-kafka',
  find: (tools) => tools.rsyslog,
  version: [['-v'], /rsyslogd\s+(\S+)/],
  file,
  configuration: ({ directory, port, bootstrap, topic, lingerMs }) => `global(workDirectory="${directory}")
module(load="imptcp")
module(load="omkafka")
main_queue(queue.type="Direct")
template(name="line" type="string" string="%rawmsg%")
input(type="imptcp" address="127.0.0.1" port="${port}" socketBacklog="1024" supportOctetCountedFraming="off")
action(type="omkafka" template="line"
  broker=[${bootstrap
    .split(',')
    .map((broker) => `"${broker}"`)
    .join(', ')}]
  topic="${topic}" partitions.auto="on"
  confParam=["compression.codec=snappy", "queue.buffering.max.ms=${lingerMs}", "queue.buffering.max.messages=1000000"]
  topicConfParam=["request.required.acks=-1"]
  resubmitOnFailure="on" action.resumeRetryCount="-1")
`,
  args: (place) => ['-n', ...common(place)],
  checkArgs: (place) => ['-N1', ...common(place)],
};

const common = ({ directory }: PeerPlace) => ['-f', join(directory, file), '-i', join(directory, 'pid')];
