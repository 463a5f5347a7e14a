// Finds misspelt names of settings among environment variables.
//
// - A name that begins with TCP_, KAFKA_, SPOOL_, HTTP_, STATS_ or SHUTDOWN_ (in any case) is meant for the gateway and
//   must be one of its settings. LOG_ and PROFILE are too common for that.
// - Names that other software is known to leave in an environment are exceptions. They are listed below.
import { closest } from 'fastest-levenshtein';
import { SETTING_NAMES, type SettingName } from './settings.ts';

const OURS = /^(TCP|KAFKA|SPOOL|HTTP|STATS|SHUTDOWN)_/i;

interface Foreign {
  readonly name: RegExp;
  readonly value?: RegExp;
  readonly why: string;
}

/** The exceptions; docs/configuration.md shows `why`. */
export const FOREIGN_NAMES: readonly Foreign[] = [
  { name: /^HTTP_PROXY$/i, why: '`HTTP_PROXY` and `http_proxy`: the proxy convention of curl and others' },
  {
    name: /_SERVICE_(HOST|PORT|PORT_[A-Z0-9_]+)$/,
    why: '`*_SERVICE_HOST`, `*_SERVICE_PORT`, `*_SERVICE_PORT_<name>`: Kubernetes service links',
  },
  {
    name: /_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/,
    why: '`*_PORT_9092_TCP` and the same with `_PROTO`, `_PORT`, `_ADDR`: Kubernetes service links',
  },
  {
    name: /_PORT$/,
    value: /^(tcp|udp|sctp):\/\//i,
    why: '`*_PORT` with a value such as `tcp://10.0.0.7:9092`: Kubernetes service links',
  },
  {
    name: /^KAFKA_(HOME|OPTS|HEAP_OPTS|JVM_PERFORMANCE_OPTS|GC_LOG_OPTS|LOG4J_OPTS|LOG4J_CMD_OPTS|JMX_OPTS|DEBUG)$/,
    why: "`KAFKA_HOME`, `KAFKA_OPTS`, `KAFKA_HEAP_OPTS` and the other variables of Kafka's own shell scripts",
  },
];

/** The nearest setting if `name` looks like a setting and is none, otherwise undefined. */
export function misspelt(name: string, value: string): SettingName | undefined {
  if (!OURS.test(name) || (SETTING_NAMES as readonly string[]).includes(name)) return undefined;
  const foreign = FOREIGN_NAMES.some((entry) => entry.name.test(name) && (entry.value?.test(value) ?? true));
  return foreign ? undefined : (closest(name.toUpperCase(), SETTING_NAMES) as SettingName);
}

/** TCP_PORT or HTTP_PORT as set by a Kubernetes service called `tcp` or `http`. */
export function isServiceLink(name: string, value: string): boolean {
  return name.endsWith('_PORT') && /^(tcp|udp|sctp):\/\//i.test(value);
}
