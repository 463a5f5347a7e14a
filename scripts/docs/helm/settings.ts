// The knowledge of the Helm chart about the settings, as files/settings.json. The templates cannot import src/config, and a
// chart that lies in a registry has no checkout beside it.

import { parseDuration, parseSize } from '../../../src/config/kinds.ts';
import { PROFILES } from '../../../src/config/profiles.ts';
import { aboutSetting, SETTING_NAMES, type SettingName } from '../../../src/config/settings.ts';

/** The settings that the templates reckon with. */
const RECKONED: readonly SettingName[] = [
  'SHUTDOWN_DRAIN',
  'SHUTDOWN_SPREAD',
  'SHUTDOWN_TIMEOUT',
  'SPOOL_MAX_BYTES',
  'SPOOL_DEAD_BYTES',
];

/** Settings that the chart has to see, so they may not come from elsewhere (extraEnv). */
const OF_CHART: readonly SettingName[] = [
  ...RECKONED,
  ...(['PROFILE', 'SPOOL_DIR', 'TCP_HOST', 'HTTP_HOST', 'TCP_PROXY_PROTOCOL'] as const),
  ...(['TCP_PORT', 'TCP_TLS_PORT', 'TCP_LINES_PORT', 'HTTP_PORT'] as const),
];

/** The chart gives the directory, because it mounts the volume. */
export const FIXED: readonly SettingName[] = ['SPOOL_DIR'];

export function chartSettings(): string {
  const profiles = Object.entries(PROFILES).map(([profile, { values }]) => {
    const reckoned = RECKONED.flatMap((name) => {
      const value = values[name]?.[0];
      return value === undefined ? [] : [[name, value]];
    });
    return [profile, Object.fromEntries(reckoned)];
  });
  const about = {
    comment: 'Generated from src/config by `npm run docs`. Do not edit.',
    names: SETTING_NAMES,
    secrets: SETTING_NAMES.filter((name) => aboutSetting(name).secret),
    chart: OF_CHART,
    ranges: Object.fromEntries(SETTING_NAMES.flatMap((name) => rangeOf(name))),
    defaults: Object.fromEntries(RECKONED.map((name) => [name, aboutSetting(name).default])),
    profiles: Object.fromEntries(profiles),
  };
  return `${JSON.stringify(about, null, 2)}\n`;
}

/** The limits of a duration in milliseconds, or of a size in bytes. JSON Schema cannot compare texts with units. */
function rangeOf(name: SettingName): [SettingName, object][] {
  const { allowed } = aboutSetting(name);
  const [, kind, least = '', most = ''] = /a (duration|size) from (\S+) to (\S+?),/.exec(allowed) ?? [];
  if (kind === undefined) return [];
  const parse = kind === 'duration' ? parseDuration : parseSize;
  return [[name, { kind, min: parse(least), max: parse(most), zero: /^0 /.test(allowed), allowed }]];
}
