// Judges the names of environment variables: settings, misspelt settings, and variables of other programs.
//
// - A name that begins with TCP_, KAFKA_, SPOOL_, HTTP_, STATS_ or SHUTDOWN_ (in any case) is meant for the gateway and
//   must be one of its settings, unless foreign-names.ts lists it.
// - Any other name may belong to anybody. One slip away from a setting, it gets a warning.
import { FOREIGN_NAMES } from './foreign-names.ts';
import { isSlipOf, nearest } from './near-names.ts';
import { SETTING_NAMES, type SettingName } from './settings.ts';

const OURS = /^(TCP|KAFKA|SPOOL|HTTP|STATS|SHUTDOWN)_/i;
/** Words of their own, one letter away from ours. */
const OTHER_WORDS = /^(?:HTTPS|HTTPD|STATSD|PROFILER)/i;

export type Judgement =
  /** It is a setting, or nobody mistakes it for one. */
  | { readonly kind: 'fine' }
  | { readonly kind: 'misspelt'; readonly nearest: readonly SettingName[] }
  /** It may be another program's, so it stops no start. */
  | { readonly kind: 'doubtful'; readonly nearest: readonly SettingName[] }
  /** Another program's, and worth a line. */
  | { readonly kind: 'foreign' };

const FINE: Judgement = { kind: 'fine' };

export function judgeName(name: string, value: string): Judgement {
  if ((SETTING_NAMES as readonly string[]).includes(name)) return FINE;
  if (!OURS.test(name)) {
    const near = OTHER_WORDS.test(name) ? [] : SETTING_NAMES.filter((setting) => isSlipOf(setting, name));
    return near.length === 0 ? FINE : { kind: 'doubtful', nearest: near };
  }
  const foreign = FOREIGN_NAMES.find((one) => one.name.test(name) && (one.value?.test(value) ?? true));
  if (foreign !== undefined) return foreign.silent ? FINE : { kind: 'foreign' };
  return { kind: 'misspelt', nearest: nearest(name, SETTING_NAMES) };
}

/** TCP_PORT or HTTP_PORT as set by a Kubernetes service called `tcp` or `http`. */
export function isServiceLink(name: string, value: string): boolean {
  return name.endsWith('_PORT') && /^(tcp|udp|sctp):\/\//i.test(value);
}
