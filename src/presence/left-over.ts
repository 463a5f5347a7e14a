// Says at a start without KAFKA_TOPIC_PRESENCE that presence records of an earlier run are on disk: nobody sends them.
import type { Log } from '../log/log.ts';
import { bytesOf, listLogs, listSegments } from '../spool/inspect.ts';
import { presenceDirectory } from '../spool/parts.ts';

/** Never rejects: a folder that cannot be read holds up no start. */
export async function sayLeftOver(spoolDirectory: string, log: Log): Promise<void> {
  const directory = presenceDirectory(spoolDirectory);
  let bytes = 0;
  try {
    for (const place of await listLogs(directory))
      for (const { path } of await listSegments(place)) bytes += (await bytesOf(path)) ?? 0;
  } catch {
    return;
  }
  if (bytes > 0) log.write('presence_left', { bytes, directory });
}
