// GET /events: the stream of a browser's EventSource, over the whole gateway or one process.
import type { Inspection } from '../../inspect/inspection.ts';
import type { Operation } from '../operations.ts';
import { MAX_STREAMS, type Reply, type StreamReply, text } from '../reply.ts';
import { eventOf, type Live, type View } from './live.ts';

/** A browser whose stream broke tries again after this time. */
const RETRY_MS = 2000;
const TYPE = 'text/event-stream; charset=utf-8';

export const EVENTS: Operation = {
  about: 'The last 15 minutes, then the figures of each second, as server-sent events.',
  parameters: {
    process: { about: 'the figures of this server process alone, by its number', process: [] },
  },
  answers: {
    200: {
      about: 'events until the client goes, the login ends or the gateway stops',
      content: {
        [TYPE]: {
          events: {
            history: ['History'],
            sample: ['Sample'],
            figures: ['Figures', 'FiguresOfProcess'],
            end: ['EventsEnd'],
          },
        },
      },
      headers: ['X-Accel-Buffering'],
    },
    400: { about: 'there is no such process' },
    503: { about: `${MAX_STREAMS.events} of these streams are open` },
  },
};

export function eventsReply(
  query: URLSearchParams,
  { live, inspection }: { live: Live; inspection: Inspection },
): Reply | StreamReply {
  const view = viewOf(query.get('process'), inspection.processes);
  if (view === undefined) return text(400, `process is one of ${inspection.processes.join(', ')}`);
  return {
    kind: 'events',
    type: TYPE,
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
