// The findings about the brokers: whether each address answers, those of KAFKA_BROKERS and those that the brokers
// advertise, and whether the login is accepted.

import type { Settings } from '../../config/settings.ts';
import { COMPONENTS } from '../../health/findings.ts';
import { AnswerError, ClusterError } from '../../kafka/client/cluster-error.ts';
import { NEVER_REACHED } from '../../kafka/client/connect-advice.ts';
import { asTrouble } from '../../kafka/topics/trouble.ts';
import { LINES } from '../../log/lines.ts';
import type { Context } from '../context.ts';
import { error, type Finding, note, ok, warning } from '../finding.ts';
import type { KafkaSurvey } from './survey.ts';

const {
  unreachable,
  unsupported,
  leaders_unreachable: leadersUnreachable,
  login_refused: loginRefused,
  no_token: noToken,
} = COMPONENTS.kafka.findings;

export async function checkBrokers({ kafka }: Context): Promise<Finding[]> {
  if (kafka === undefined) {
    const { text: what, meaning: why, remedy } = LINES.kafka_brokers_empty;
    return [warning({ name: 'kafka_brokers_empty', what, why, remedy })];
  }
  const reached = await kafka.bootstrap();
  const isAny = reached.some(({ answer }) => answer.ok);
  return reached.map(({ address, answer }) => {
    if (answer.ok) return ok('broker_answers', `${address} of KAFKA_BROKERS answers`);
    const what = `KAFKA_BROKERS: ${answer.error.message}`;
    const isUnsupported = answer.error instanceof ClusterError && answer.error.code === 'UNSUPPORTED';
    const name = isUnsupported ? 'broker_unsupported' : 'broker_unreachable';
    const { meaning, remedy } = isUnsupported ? unsupported : unreachable;
    if (!isAny) return error('records_wait', { name, what, why: meaning, remedy });
    const why =
      'Another address of KAFKA_BROKERS answers, so the gateway starts. If that one is away, it finds no broker.';
    return warning({ name, what, why, remedy });
  });
}

export async function checkLogin({ kafka, settings }: Context): Promise<Finding[]> {
  if (kafka === undefined) return [];
  const connection = await kafka.connection();
  const metadata = await kafka.metadata();
  const isReached = (await anyReached(kafka)) !== undefined;
  const { KAFKA_SASL_MECHANISM: mechanism } = settings;
  if (!isReached)
    return mechanism === null
      ? []
      : [
          note({
            name: 'login_unknown',
            what: 'The login could not be tried, because no broker can be used',
          }),
        ];
  const failure = connection.ok ? (metadata.ok ? undefined : metadata.error) : connection.error;
  if (failure === undefined)
    return [
      ok(
        'login_accepted',
        mechanism === null ? 'The brokers want no login' : `The login${userIn(settings)} is accepted`,
      ),
    ];
  const { cause, message } = asTrouble(failure);
  if (cause === 'token')
    return [
      error('records_wait', {
        name: 'no_token',
        what: message,
        why: noToken.meaning,
        remedy: noToken.remedy,
      }),
    ];
  const isLogin = cause === 'login' || (failure instanceof ClusterError && failure.code === 'CLOSED');
  if (isLogin)
    return [
      error('records_wait', {
        name: 'login_refused',
        what: message,
        why: loginRefused.meaning,
        remedy: loginRefused.remedy,
      }),
    ];
  const remedy = failure instanceof AnswerError ? 'Do what the text says' : unreachable.remedy;
  return [
    error('records_wait', { name: 'broker_unusable', what: message, why: unreachable.meaning, remedy }),
  ];
}

function userIn(settings: Settings): string {
  const { KAFKA_SASL_MECHANISM: mechanism, KAFKA_SASL_USERNAME, KAFKA_OAUTH_CLIENT_ID } = settings;
  const user = KAFKA_SASL_USERNAME ?? KAFKA_OAUTH_CLIENT_ID;
  return user === null ? ` (${mechanism})` : ` as ${user} (${mechanism})`;
}

async function anyReached(kafka: KafkaSurvey) {
  return (await kafka.bootstrap()).find(({ answer }) => answer.ok);
}

/** The gateway sends records to the leaders, and so to every broker. */
export async function checkAdvertised({ kafka, settings }: Context): Promise<Finding[]> {
  if (kafka === undefined) return [];
  const brokers = await kafka.advertised();
  const metadata = await kafka.metadata();
  const more = metadata.ok ? metadata.value.brokers.length - brokers.length : 0;
  const untried =
    more > 0 && brokers.length > 0
      ? [note({ name: 'advertised_untried', what: `Of the cluster's brokers ${more} more were not tried` })]
      : [];
  const findings = brokers.map(({ nodeId, address, answer }) => {
    if (answer.ok)
      return ok(
        'advertised_answers',
        `Broker ${nodeId} can be used at ${address}, the address that it advertises`,
      );
    const hint = settings.KAFKA_BROKERS.includes(address) ? '' : NEVER_REACHED;
    const what = `Broker ${nodeId} cannot be reached at ${answer.error.message}${hint}`;
    return error('records_wait', {
      name: 'advertised_unreachable',
      what,
      why: leadersUnreachable.meaning,
      remedy: leadersUnreachable.remedy,
    });
  });
  return [...findings, ...untried];
}
