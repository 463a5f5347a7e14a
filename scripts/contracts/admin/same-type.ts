// Ties a schema to the type in src that it describes: the compiler refuses a schema whose values are of another type. A field
// that is optional in one and not in the other is a difference, and `undefined` counts as absent, as in JSON.
import type { z } from 'zod';

type Nothing = Record<never, never>;
type IsOptional<T, K extends keyof T> =
  Nothing extends Pick<T, K> ? true : undefined extends T[K] ? true : false;

/** The type without `readonly`, with a mark on each field that may be absent. */
type Plain<T> = T extends string | number | boolean | null | undefined
  ? T
  : T extends readonly (infer E)[]
    ? Plain<E>[]
    : {
        -readonly [K in keyof T]-?: IsOptional<T, K> extends true
          ? { readonly mayBeAbsent: Plain<Exclude<T[K], undefined>> }
          : Plain<T[K]>;
      };

type IsSame<A, B> = [Plain<A>] extends [Plain<B>] ? ([Plain<B>] extends [Plain<A>] ? true : false) : false;

/** The schema itself. `schemaOf<T>()(schema)` compiles only if the schema describes exactly T. */
export function schemaOf<T>() {
  return <S extends z.ZodType>(schema: IsSame<z.output<S>, T> extends true ? S : never): S => schema;
}
