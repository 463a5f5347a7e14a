// Divides limits that hold for the whole gateway among its processes.
import type { Settings } from '../config/settings.ts';
import { deadLetterBytes } from '../config/shares.ts';
import { partDirectory } from '../spool/parts.ts';

/**
 * The settings of the process with this index. The caps on connections stay whole: the first process applies them.
 * @param processes at most as many as config/shares.ts allows, so that each share is large enough
 */
export function shareOf(
  settings: Settings,
  { index, processes }: { index: number; processes: number },
): Settings {
  const part = (total: number) => Math.max(1, Math.floor(total / processes));
  return {
    ...settings,
    SPOOL_DIR: partDirectory(settings.SPOOL_DIR, index),
    SPOOL_MAX_BYTES: part(settings.SPOOL_MAX_BYTES),
    SPOOL_DEAD_BYTES: part(deadLetterBytes(settings)),
    KAFKA_BUFFER_BYTES: part(settings.KAFKA_BUFFER_BYTES),
    TCP_BUFFER_BYTES: part(settings.TCP_BUFFER_BYTES),
    TCP_TLS_MAX_HANDSHAKES: part(settings.TCP_TLS_MAX_HANDSHAKES),
  };
}
