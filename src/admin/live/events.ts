// GET /events: the stream of a browser's EventSource, over the whole gateway or one process.
import type { Inspection } from '../../inspect/inspection.ts';
import { type Reply, type StreamReply, text } from '../reply.ts';
import { eventOf, type Live, type View } from './live.ts';

/** A browser whose stream broke tries again after this time. */
const RETRY_MS = 2000;

export function eventsReply(
  query: URLSearchParams,
  { live, inspection }: { live: Live; inspection: Inspection },
): Reply | StreamReply {
  const view = viewOf(query.get('process'), inspection.processes);
  if (view === undefined) return text(400, `process is one of ${inspection.processes.join(', ')}`);
  return {
    kind: 'events',
    type: 'text/event-stream; charset=utf-8',
    keepAlive: ': still here\n\n',
    farewell: (reason) => eventOf('end', { reason }),
    begin(out) {
      out.write(`retry: ${RETRY_MS}\n\n`);
      const end = live.follow(view, (events) => void out.write(events));
      out.signal.addEventListener('abort', end);
    },
  };
}

function viewOf(process: string | null, processes: readonly number[]): View | undefined {
  if (process === null) return null;
  const found = processes.find((index) => `${index}` === process);
  // The only process is the whole gateway.
  return processes.length === 1 && found !== undefined ? null : found;
}
