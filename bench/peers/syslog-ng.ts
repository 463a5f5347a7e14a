// syslog-ng with network() and kafka-c(). The window of each connection, and a queue that holds all windows, are as its
// documentation advises for flow-control, which stops the reading instead of dropping messages.
import { join } from 'node:path';
import type { Peer, PeerPlace } from './peer.ts';

const file = 'syslog-ng.conf';
const WINDOW = 1000;

export const SYSLOG_NG: Peer = {
  name: 'syslog-ng',
  packages: 'syslog-ng-core syslog-ng-mod-rdkafka',
  find: (tools) => tools.syslogNg,
  version: [['--version'], /syslog-ng \d+ \(([\d.]+)\)/],
  file,
  configuration: ({ port, bootstrap, topic, lingerMs, connections }) => `@version: 3.38
options { stats-freq(0); keep-hostname(yes); use-dns(no); dns-cache(no); };
source devices {
  network(ip("127.0.0.1") port(${port}) transport("tcp") flags(no-parse)
    max-connections(${connections}) log-iw-size(${connections * WINDOW}) log-fetch-limit(100));
};
destination kafka {
  kafka-c(bootstrap-servers("${bootstrap}") topic("${topic}") message("$MSG")
    log-fifo-size(${2 * connections * WINDOW})
    config(compression.codec("snappy") queue.buffering.max.ms("${lingerMs}")
      queue.buffering.max.messages("1000000") request.required.acks("-1")));
};
log { source(devices); destination(kafka); flags(flow-control); };
`,
  args: (place) => ['-F', ...common(place)],
  checkArgs: (place) => ['-s', ...common(place)],
};

const common = ({ directory }: PeerPlace) => [
  '--no-caps',
  ...['-f', join(directory, file)],
  ...['-R', join(directory, 'persist')],
  ...['-p', join(directory, 'pid')],
  ...['-c', join(directory, 'control')],
];
