// The plays for npm test, by former version. The others take more processes, or have the same course with a newer format; their
// faults have a shorter test in test/spool and test/compose.

/** Version 0.1.0 is the farthest from this one, so its plays have the most to change. */
export const SHORT: Readonly<Record<string, readonly string[]>> = {
  '2676aa6': ['upgrade', 'rollback', 'settings that are not known', 'resume'],
  // It knows the devices that resume, and 0.1.0 does not.
  '0cfefeb': ['resume'],
};

export const isShort = (commit: string, play: string): boolean => SHORT[commit]?.includes(play) ?? false;
