// The questions of a profile of one process, and their answers. The file itself goes through no message.

export type ProfileKind = 'cpu' | 'heap';

export type ProfileQuestion =
  /** Opens the file at `path`, removes its name and directory, and begins. */
  | {
      readonly do: 'begin';
      readonly kind: ProfileKind;
      /** Of a CPU profile. */
      readonly seconds: number;
      readonly path: string;
    }
  | { readonly do: 'look' }
  /** The file is read, or nobody wants it any more. */
  | { readonly do: 'end' };

export type ProfileAnswer =
  | { readonly state: 'running' }
  | { readonly state: 'done'; readonly bytes: number }
  /** It has not begun, because another one runs. */
  | { readonly state: 'busy' }
  | { readonly state: 'failed'; readonly reason: string }
  /** There is none. The process may be a new one. */
  | { readonly state: 'none' };
