// The former versions from which upgrades are tried. Releases have no tags yet, so they are named by commits.

export interface Former {
  readonly commit: string;
  readonly about: string;
}

export const FORMER: readonly Former[] = [
  { commit: '2676aa6', about: 'version 0.1.0: its spool has no format version, and it knows no `resume`' },
  { commit: '0cfefeb', about: 'format version 2, `resume`, the lock by the program flock' },
];
