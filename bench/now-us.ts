// The clock of the bench for windows of time: microseconds on the monotonic clock, as the samples of a CPU profile have them.
export const nowUs = (): number => Number(process.hrtime.bigint() / 1000n);
