// The stages by which open connections are counted: the label of the metric. One that is closing counts by its last stage.

export const CONNECTION_STAGES = ['proxy', 'place', 'tls', 'identify', 'identified', 'lines'] as const;

export type CountedStage = (typeof CONNECTION_STAGES)[number];

/** A count of 0 for each stage. */
export function countsByStage(): Record<CountedStage, number> {
  return { proxy: 0, place: 0, tls: 0, identify: 0, identified: 0, lines: 0 };
}
