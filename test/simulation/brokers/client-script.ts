// The script about logins and quotas, for one broker whose logins last two seconds.
import { API } from '../../../simulation/brokers/apis.ts';
import { CODE } from '../../../simulation/brokers/error-codes.ts';
import { Reader, Writer } from '../../../simulation/brokers/wire.ts';
import { RawClient } from './raw-client.ts';
import { Script } from './script.ts';

export const USER = { name: 'script', password: 'right' };
export const LOGIN_LASTS_MS = 2000;
export const QUOTA = 20_000;
/** Its requests are counted. */
export const THROTTLED_CLIENT = 'script-throttled';

export const LOGIN_FACTS = {
  'no request goes before a login': 'closed',
  'a mechanism that the broker lacks': [CODE.unsupportedSaslMechanism, true],
  'a token before the mechanism': 'closed',
  'a wrong password': [CODE.saslAuthenticationFailed, 'closed'],
  'a right password': [CODE.none, true],
  'requests go after the login': true,
  'another login on the same connection': [CODE.none, true],
  'it lasts longer for that': true,
  'a request after the end': 'closed',
} as const;

export async function playLogins(port: number): Promise<Record<string, unknown>> {
  const ask = (client: RawClient) => client.ask(API.metadata, 6, new Writer().int32(0).int8(0).buffer);
  const choose = async (client: RawClient, mechanism: string) => {
    const answer = await client.ask(API.saslHandshake, 1, new Writer().string(mechanism).buffer);
    if (answer === 'closed') return answer;
    const read = new Reader(answer);
    return [read.int16(), read.array(() => read.string()).includes('PLAIN')];
  };
  const logIn = async (client: RawClient, password: string) => {
    const token = Buffer.from(`\0${USER.name}\0${password}`);
    const answer = await client.ask(API.saslAuthenticate, 1, new Writer().bytes(token).buffer);
    if (answer === 'closed') return answer;
    const read = new Reader(answer);
    const code = read.int16();
    read.nullableString();
    read.bytes();
    return [code, code === CODE.none ? read.int64() > LOGIN_LASTS_MS / 2 : await client.untilClosed()];
  };
  const connect = () => RawClient.connect(port);
  const seen: Record<string, unknown> = {};
  const clients = await Promise.all([connect(), connect(), connect(), connect(), connect()]);
  const [early, odd, hasty, wrong, right] = clients as [
    RawClient,
    RawClient,
    RawClient,
    RawClient,
    RawClient,
  ];
  seen['no request goes before a login'] = await ask(early);
  seen['a mechanism that the broker lacks'] = await choose(odd, 'GSSAPI');
  seen['a token before the mechanism'] = await logIn(hasty, USER.password);
  await choose(wrong, 'PLAIN');
  seen['a wrong password'] = await logIn(wrong, 'wrong');
  await choose(right, 'PLAIN');
  const fromMs = performance.now();
  seen['a right password'] = await logIn(right, USER.password);
  seen['requests go after the login'] = (await ask(right)) !== 'closed';
  await wait(LOGIN_LASTS_MS / 2);
  await choose(right, 'PLAIN');
  seen['another login on the same connection'] = await logIn(right, USER.password);
  await wait(fromMs + LOGIN_LASTS_MS * 1.25 - performance.now());
  seen['it lasts longer for that'] = (await ask(right)) !== 'closed';
  await wait(LOGIN_LASTS_MS);
  seen['a request after the end'] = await ask(right);
  for (const client of clients) client.close();
  return seen;
}

export const QUOTA_FACTS = {
  'below the quota nobody waits': 0,
  'above it the answer says for how long': true,
  'and the broker reads nothing meanwhile': true,
  'on that connection': true,
} as const;

const BATCH_BYTES = 46_000;

/** @param throttledMs told of what the broker said, for a comparison */
export async function playQuota(
  { port, topic }: { port: number; topic: string },
  throttledMs: (ms: number) => void,
): Promise<Record<string, unknown>> {
  const none = () => Promise.reject(new Error('not in this script'));
  const scriptFor = async (clientId: string) => {
    const target = { port, nodeId: 1, deleteTopic: none, addPartitions: none };
    const script = new Script(target, await RawClient.connect(port, clientId));
    script.topic = topic;
    return script;
  };
  const [script, other] = await Promise.all([scriptFor(THROTTLED_CLIENT), scriptFor(THROTTLED_CLIENT)]);
  const values = ['x'.repeat(BATCH_BYTES)];
  const seen: Record<string, unknown> = {};
  const first = await script.produceAnswer([{ values }]);
  seen['below the quota nobody waits'] = first?.throttleMs;
  let askedMs = 0;
  // 200 KB are free: the quota counts over ten seconds.
  for (let i = 0; i < 10 && askedMs === 0; i++)
    askedMs = (await script.produceAnswer([{ values }]))?.throttleMs ?? 0;
  throttledMs(askedMs);
  seen['above it the answer says for how long'] = askedMs > 500 && askedMs < 4000;
  const beforeMs = performance.now();
  const quick = other.offset(-1).then(() => performance.now() - beforeMs);
  const slow = script.offset(-1).then(() => performance.now() - beforeMs);
  seen['and the broker reads nothing meanwhile'] = (await slow) > askedMs * 0.9;
  seen['on that connection'] = (await quick) < askedMs * 0.5;
  script.client.close();
  other.client.close();
  return seen;
}

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
