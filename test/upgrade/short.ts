// The plays for npm test. The others take more processes, and their faults have a shorter test in test/spool and test/compose.

export const SHORT: readonly string[] = ['upgrade', 'rollback', 'settings that are not known', 'resume'];
