// Defines a kind of fault: how its parameters are drawn, told and played.
import type { Excuse } from '../judge/facts.ts';
import type { Random } from '../world/random.ts';
import type { Scene } from './scene.ts';
import type { Stage } from './stage.ts';

export type Parameters = Readonly<Record<string, number | string | boolean>>;

export interface FaultKind {
  readonly name: string;
  /** How often it is chosen, against the others. A whole number from 1. */
  readonly weight: number;
  /** Whether it makes sense with these settings. */
  readonly fits?: (scene: Scene) => boolean;
  /** Nothing has to be sent again or go to the disk because of it. */
  readonly isCalm?: boolean;
  /** Everything ends within so many milliseconds after it, if that takes longer than usual. */
  readonly restMs?: number;
  /** Exceptions of docs/delivery-guarantees.md that it makes possible. */
  readonly excuses?: readonly Excuse[];
  draw(random: Random, scene: Scene): Parameters;
  /** The step in words, for people. */
  words(parameters: Parameters): string;
  /** Begins the fault, and sees to it that it ends. */
  play(stage: Stage, parameters: Parameters): void | Promise<void>;
}

/** A kind whose parameters have a type of their own. Only fixes the type for the functions inside. */
export function fault<P extends Parameters>(
  kind: Omit<FaultKind, 'draw' | 'words' | 'play'> & {
    draw(random: Random, scene: Scene): P;
    words(parameters: P): string;
    play(stage: Stage, parameters: P): void | Promise<void>;
  },
): FaultKind {
  return kind as unknown as FaultKind;
}

/** Lengths of faults in milliseconds: most are short against the time-outs, some are long. */
export function lastsMs(random: Random): number {
  return random.pick([50, 300, 1_000, 3_000, 8_000, 20_000]) + random.between(0, 200);
}

export const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;
