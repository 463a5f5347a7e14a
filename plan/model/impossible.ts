// The error of a plan that cannot be made. Its message says which option to change.

/** No number of such machines or brokers is enough. */
export class ImpossiblePlanError extends Error {
  readonly code = 'PLAN_IMPOSSIBLE';
}
