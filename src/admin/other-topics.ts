// The list of topics that are on disk although no setting names them. Merges lists of several spools
// and keeps the result short.

export interface OtherTopic {
  readonly topic: string;
  readonly records: number;
  readonly bytes: number;
  /** Why they are not delivered now, with the remedy if it does not pass by itself. Null while they are sent. */
  readonly problem: string | null;
}

/** Nothing limits how many topics a spool directory can hold. */
export const MAX_OTHER_TOPICS = 20;

/** One entry for each topic, those with the most records first, at most MAX_OTHER_TOPICS. */
export function mergeOtherTopics(entries: readonly OtherTopic[]): readonly OtherTopic[] {
  const merged = new Map<string, OtherTopic>();
  for (const { topic, records, bytes, problem } of entries) {
    const known = merged.get(topic);
    merged.set(topic, {
      topic,
      records: records + (known?.records ?? 0),
      bytes: bytes + (known?.bytes ?? 0),
      problem: known?.problem ?? problem,
    });
  }
  return [...merged.values()].sort((a, b) => b.records - a.records).slice(0, MAX_OTHER_TOPICS);
}
