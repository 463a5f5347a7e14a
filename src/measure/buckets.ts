// The bounds of all histograms. Each series of a bound costs a line in every scrape, so there are three for each power of
// ten, which tells a quantile to within half of its value.

/**
 * Seconds from the reception of a line. It is known in whole milliseconds, so there is no lower bound. A usual line takes
 * KAFKA_BATCH_TIMEOUT and a round trip. The upper ones are for records that wait in the spool.
 */
export const LINE_SECONDS = [
  0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800, 21_600,
] as const;

/** Seconds of one operation on a disk or a network: from a fast disk to the longest time limit that makes sense. */
export const OPERATION_SECONDS = [
  0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30,
] as const;

/** Records of a batch: up to KAFKA_BATCH_SIZE, or sixteen times that while Kafka is far. */
export const BATCH_RECORDS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000] as const;

/** Bytes of a batch. A topic takes 1 MiB by default, and a batch has 4 MiB at most before compression. */
export const BATCH_BYTES = [
  256, 1024, 4096, 16_384, 65_536, 131_072, 262_144, 524_288, 1_048_576, 4_194_304,
] as const;
