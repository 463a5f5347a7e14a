// For somebody who looks at the lines that workers handle. While nobody does, a line costs one comparison.
import type { Job } from '../queue/job.ts';
import type { BatchTicket } from './record-sink.ts';

export interface LineObserver {
  /**
   * A worker is done with the line, which may have been refused. Its bytes are valid only during the call.
   * @param ticket of the batch that has its record, undefined if it made none
   */
  handled(job: Job, ticket: BatchTicket | undefined): void;
}

export interface LineWatch {
  /** Undefined while nobody looks. */
  observer: LineObserver | undefined;
}
