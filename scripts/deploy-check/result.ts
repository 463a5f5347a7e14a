// The findings of a check of the deployment files.
export interface CheckResult {
  /** The thing that was checked, such as `Helm chart`. */
  readonly name: string;
  /** A sentence that says why it was not checked. */
  readonly skipped?: string;
  /** A sentence for each fault. */
  readonly problems: readonly string[];
  /** The work that was done, for people. */
  readonly lines: readonly string[];
}
