// Makes the plan of a history from its seed, before the history begins: a list of steps, each with its time and parameters.

import { Random } from '../world/random.ts';
import type { FaultKind, Parameters } from './fault.ts';
import { FAULTS } from './faults/table.ts';
import type { Scene } from './scene.ts';

export interface Step {
  /** From 1. Names the step for `--only`. */
  readonly number: number;
  readonly atMs: number;
  readonly kind: FaultKind;
  readonly parameters: Parameters;
}

export interface PlanOptions {
  readonly steps: number;
  /** Names of the kinds that may come. */
  readonly kinds: readonly string[];
}

/** Before the first step, so that records flow when it comes. */
const QUIET_MS = 3_000;
/** Each step comes within this time after the one before, on average in half of it. */
const GAP_MS = 6_000;
/** Two steps of a history in this share come nearly at once. */
const SHORT_GAP_SHARE = 0.3;
const SHORT_GAP_MS = 200;
const CALM_SHARE = 0.1;
/** Kinds that a history plays at most: fewer kinds meet each other more often. */
const MAX_KINDS = 8;

/** Each step draws from a stream of its own: leaving one out changes no other. */
export function makePlan(scene: Scene, { steps, kinds }: PlanOptions): Step[] {
  const { seed } = scene;
  const fitting = FAULTS.filter((kind) => kinds.includes(kind.name) && (kind.fits?.(scene) ?? true));
  const chosen = chooseKinds(fitting, seed);
  if (chosen.length === 0) return [];
  const plan: Step[] = [];
  let atMs = QUIET_MS;
  for (let number = 1; number <= steps; number++) {
    const random = new Random(seed, `step ${number}`);
    const kind = random.pick(chosen);
    const gapMs = random.chance(SHORT_GAP_SHARE) ? SHORT_GAP_MS : GAP_MS;
    atMs += random.between(0, gapMs);
    plan.push({ number, atMs, kind, parameters: kind.draw(random, scene) });
  }
  return plan;
}

/** A few kinds for this history, each as often as its weight. Different histories have different ones (swarm testing). */
function chooseKinds(fitting: readonly FaultKind[], seed: number): FaultKind[] {
  const random = new Random(seed, 'kinds');
  const count = random.between(1, MAX_KINDS);
  // Some histories have nothing that may count as an outage.
  const isCalm = random.chance(CALM_SHARE);
  const weighted = fitting
    .filter((kind) => !isCalm || kind.isCalm)
    .flatMap((kind) => Array<FaultKind>(kind.weight).fill(kind));
  if (weighted.length === 0) return [];
  return Array.from({ length: count }, () => random.pick(weighted));
}

export const stepInWords = ({ number, atMs, kind, parameters }: Step): string =>
  `${String(number).padStart(3)}  ${(atMs / 1000).toFixed(3).padStart(8)} s  ${kind.name}: ${kind.words(parameters)}`;
