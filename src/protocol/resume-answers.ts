// How connections that resume are answered, for the metric of that name.

const RESUME_ANSWERS = [
  /** With the stored seq. */
  'known',
  /** With null: nothing is known of the device. */
  'unknown',
  /** With null: the former connection had not settled in time. */
  'unsettled',
] as const;

export type ResumeAnswer = (typeof RESUME_ANSWERS)[number];

export function countsByResumeAnswer(): Record<ResumeAnswer, number> {
  return Object.fromEntries(RESUME_ANSWERS.map((answer) => [answer, 0])) as Record<ResumeAnswer, number>;
}
