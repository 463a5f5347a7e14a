// What the client says about a broker that it cannot use: which port, name or setting is wrong. The peers are real.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';
import { freePort } from '../../../scripts/kafka/ports.ts';
import type { Credentials } from '../../../src/kafka/client/kafkajs.ts';
import { ProduceConnection } from '../../../src/kafka/client/produce-connection.ts';
import { Authority, pemOf } from '../../support/authority.ts';
import { temporaryDirectory } from '../../support/directory.ts';
import {
  asUser,
  clientOf,
  producedAnswer,
  rangesOf,
  rejectsWith,
  requestFor,
  ScriptedBroker,
} from './scripted-broker.ts';

const VOTE = 52;

/** What a client says that begins with this address. */
async function failureAt(t: TestContext, address: string, credentials: Credentials = {}): Promise<string> {
  const options = { brokers: [address], knows: false, credentials: () => credentials };
  const client = await clientOf(t, { address } as ScriptedBroker, options);
  return await client.topicMetadata('readings').then(
    () => 'no failure',
    ({ message }: Error) => message,
  );
}

async function listening(t: TestContext, server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A server that does this with each connection once it has received something. */
const answering = (t: TestContext, answer: (socket: Socket) => void) =>
  listening(
    t,
    createServer((socket) => socket.on('error', () => {}).once('data', () => answer(socket))),
  );

test('a broker that cannot be used is explained by its address and the setting to look at', async (t) => {
  const authority = new Authority(temporaryDirectory(t), 'own');
  const ssl = { ca: readFileSync(authority.ca) };
  const secure = createTlsServer(pemOf(authority.sign('broker'))).on('tlsClientError', () => {});
  const says = async (address: string, what: RegExp, credentials?: Credentials) => {
    const message = await failureAt(t, address, credentials);
    assert.match(message, what);
    assert.equal(message.split(address).length, 2, `the address once: ${message}`);
  };
  // As Kafka's TLS listener answers, and as a TLS server answers that sends no alert.
  const alert = Buffer.of(0x15, 3, 3, 0, 2, 2, 80);
  const tls = await answering(t, (socket) => socket.end(alert));
  await says(tls, /^127.*: this port speaks TLS and Sluice does not: set KAFKA_SSL=true/);
  await says(await listening(t, secure), /first answer\. If this port speaks TLS, set KAFKA_SSL=true/);
  const plain = await ScriptedBroker.start(t);
  assert.equal(await failureAt(t, plain.address), 'no failure');
  // A broker closes the connection, because the handshake looks like a request of 350 MB.
  const closing = await answering(t, (socket) => socket.destroy());
  await says(closing, /TLS handshake failed \(ECONNRESET\).*KAFKA_SSL=false/, { ssl });
  await says(closing, /closed before the first answer\..*KAFKA_BROKERS has to name a listener of a broker/);
  const web = await answering(t, (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  await says(web, /is not Kafka: it begins with "HTTP\/1.1 400 Bad Request"/);
  for (const size of [0, 3, -1, -4, 0x7fff_ffff]) {
    const bytes = Buffer.alloc(64);
    bytes.writeInt32BE(size);
    await says(await answering(t, (socket) => socket.write(bytes)), /is not Kafka: it begins with/);
  }
  await says(web, /this port does not seem to speak TLS/, { ssl });
  await says(`127.0.0.1:${await freePort()}`, /: nothing listens there \(ECONNREFUSED\)$/);
  const nowhere = 'kafka.no-such-host.invalid:9092';
  assert.match(await failureAt(t, nowhere), /the name kafka.no-such-host.invalid cannot be resolved \(E/);

  const login = await ScriptedBroker.start(t, { password: 'secret-enough' });
  assert.equal(await failureAt(t, login.address, asUser('secret-enough')), 'no failure');
  await says(login.address, /closed at the first request.*set KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME/);
  const controller = await ScriptedBroker.start(t, {
    versions: new Map([
      [18, [0, 4]],
      [VOTE, [0, 2]],
    ]),
  });
  await says(controller.address, /is the port of a controller and not that of a broker/);
});

test('an advertised name that cannot be resolved is called that, also where a topic has to be created', async (t) => {
  const brokers = () => [{ nodeId: 1, host: 'kafka-1.no-such-host.invalid', port: 9092 }];
  const broker = await ScriptedBroker.start(t, { brokers });
  const client = await clientOf(t, broker);
  const why = /^broker 1 cannot be reached at kafka-1.*cannot be resolved \(E.*advertised.listeners/;
  await rejectsWith(client.connectTo(1), 'UNREACHABLE', why);
  const topic = { topic: 'letters', partitions: 1, replicationFactor: 1 };
  await rejectsWith(client.createTopic(topic), 'UNREACHABLE', why);
});

test('a broker that worked and is down is not said to advertise a wrong address', async (t) => {
  const [seed, broker] = [await ScriptedBroker.start(t), await ScriptedBroker.start(t)];
  seed.script.brokers = () => [{ nodeId: 1, host: '127.0.0.1', port: broker.port }];
  const { port } = broker;
  const client = await clientOf(t, seed);
  await client.connectTo(1);
  broker.stop();
  await assert.rejects(client.produce(1, requestFor([0])));
  await assert.rejects(client.connectTo(1), {
    message: `broker 1 cannot be reached at 127.0.0.1:${port}: nothing listens there (ECONNREFUSED)`,
  });
});

test('an answer that does not come while a quota makes us wait is blamed on the quota', async (t) => {
  const broker = await ScriptedBroker.start(t, {
    versions: rangesOf('4.1'),
    onProduce: (request) =>
      request.partitions[0] === 0 ? producedAnswer(request, { throttleMs: 60_000 }) : 'nothing',
  });
  const socket = connect(broker.port, '127.0.0.1');
  const session = { renewAtMs: Infinity, endsAtMs: Infinity };
  const options = {
    socket,
    address: broker.address,
    version: 7,
    clientId: 'test',
    requestTimeoutMs: 150,
    session,
  };
  const connection = new ProduceConnection(options, { throttled: () => {}, closed: () => {} });
  await connection.send(requestFor([0]));
  await rejectsWith(connection.send(requestFor([1])), 'TIMEOUT', /within 150 ms, because a quota makes/);
});
