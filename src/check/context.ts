// The common ground of the checks: the settings, the gateway that may run with them already, and the brokers.
import { resolve } from 'node:path';
import type { LoadedSettings } from '../config/load.ts';
import type { Settings } from '../config/settings.ts';
import { lockHolder } from '../spool/lock.ts';
import type { LockOwner } from '../spool/lock-owner.ts';
import { serverProcesses } from '../start/server-processes.ts';
import { KafkaSurvey } from './kafka/survey.ts';
import { Names } from './names.ts';
import { silentLog } from './recorded-lines.ts';

export interface Context {
  readonly loaded: LoadedSettings;
  readonly settings: Settings;
  /** Server processes that a start would have. */
  readonly processes: number;
  /** The holder of the spool's lock: a gateway or a command. Undefined if there is none, or if it cannot be looked up. */
  readonly holder: { readonly owner: LockOwner | undefined } | undefined;
  readonly names: Names;
  /** Undefined if KAFKA_BROKERS is empty. */
  readonly kafka: KafkaSurvey | undefined;
}

export function contextOf(loaded: LoadedSettings): Context {
  const { settings } = loaded;
  const log = silentLog(settings);
  const names = new Names();
  return {
    loaded,
    settings,
    processes: serverProcesses(settings, log),
    holder: holderOf(resolve(settings.SPOOL_DIR)),
    names,
    kafka: settings.KAFKA_BROKERS.length === 0 ? undefined : new KafkaSurvey(settings, { names, log }),
  };
}

/** A directory that cannot be read is a finding of the spool's check. */
function holderOf(directory: string): Context['holder'] {
  try {
    return lockHolder(directory);
  } catch {
    return undefined;
  }
}
