// The schema of /stats from the table of figures: its sections and names, with the help texts of the metrics as descriptions.
import { z } from 'zod';
import { eachFigure, type Figure } from '../../../src/admin/figures.ts';
import type { Readiness } from '../../../src/admin/snapshot.ts';
import type { Component } from '../../../src/health/component.ts';
import type { HistogramValue } from '../../../src/measure/histogram.ts';
import { ABOUT, OTHER_FIGURES } from './kafka-schemas.ts';
import { schemaOf } from './same-type.ts';
import { count, time, words } from './words.ts';

const histogram = schemaOf<HistogramValue>()(
  z
    .object({
      bounds: z.array(z.number()).describe('Upper bounds, rising, each of them included.'),
      counts: z
        .array(count())
        .describe(
          'How many values each bound has caught, not cumulative. One more than bounds: the last is for values above all.',
        ),
      sum: z.number(),
    })
    .describe('A distribution since the start.'),
);

export const state = words({
  ok: 'works as it should',
  degraded: 'works in part, or will not for long',
  failed: 'does not do its work; whether data is kept all the same is the question of /readyz',
  unknown: 'nothing is known that would tell',
});

const component = schemaOf<Component>()(
  z.object({
    id: z.string().describe('`kafka`, or with the name of a topic `topic weather-metrics`.'),
    state,
    finding: z.string().describe('A name of docs/operations.md. It stays the same while the reason changes.'),
    reason: z.string(),
    remedy: z.string().nullable().describe('The advice; null if nobody has to do anything.'),
  }),
);

export const readiness = schemaOf<Readiness>()(
  z.object({
    ready: z.boolean().describe('Data sent now would be kept.'),
    reasons: z.array(z.string()).describe('Why not, in words that an operator can act on.'),
  }),
);

const facts = {
  version: z.string(),
  at: time().describe('When the figures were read.'),
  uptimeSeconds: z.number().min(0),
};

const IS_PART = /Seconds|Ratio$|PerSecond$/;

function isHistogram(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'bounds' in value;
}

/** @throws Error if a figure of this form is in no table */
function figureSchema<T>(figure: Figure<T>, name: string): z.ZodType {
  const { empty, metric } = figure;
  const other = OTHER_FIGURES[name];
  if (other !== undefined) return other;
  const about = metric?.help ?? ABOUT[name];
  if (about === undefined) throw new Error(`kafka-schemas.ts says nothing about the figure ${name}`);
  const one = () => {
    if (metric?.type === 'gauge') return IS_PART.test(name) ? z.number() : z.int();
    return IS_PART.test(name) ? z.number().min(0) : count();
  };
  if (typeof empty === 'number') return one().describe(about);
  if (typeof empty === 'boolean') return z.boolean().describe(about);
  if (isHistogram(empty)) return histogram.describe(about);
  if (empty === null && metric?.type === 'gauge') return z.number().nullable().describe(about);
  if (typeof empty !== 'object' || empty === null || Array.isArray(empty))
    throw new Error(`kafka-schemas.ts has no schema of the figure ${name}`);
  const keys = Object.keys(empty);
  const form =
    keys.length === 0
      ? z.record(z.string(), z.number())
      : z.object(Object.fromEntries(keys.map((key) => [key, one()])));
  return form.describe(about);
}

function sections(): Record<string, z.ZodType> {
  const named = eachFigure((figure) => (name: string) => figureSchema(figure, name));
  return Object.fromEntries(
    Object.entries(named).map(([section, figures]) => [
      section,
      z.object(
        Object.fromEntries(Object.entries(figures).map(([name, make]) => [name, make(`${section}.${name}`)])),
      ),
    ]),
  );
}

const bySection = sections();
const figures = { ...facts, ...bySection };
const whole = { ...figures, readiness, components: z.array(component) };

/** The figures of one process. Readiness and components are those of the whole gateway. */
export const ofProcess = z.object(figures).describe('The figures of one server process.');
export const ofAll = z.object(whole).describe('The figures of the whole gateway.');
export const withProcesses = (list: z.ZodType) => z.object({ ...whole, processList: list });

/** Parts that several schemas have, by their names in the document. */
export const PARTS: Readonly<Record<string, z.ZodType>> = {
  Histogram: histogram,
  Component: component,
  ...Object.fromEntries(
    Object.entries(bySection).map(([name, schema]) => [
      `Figures${name.charAt(0).toUpperCase()}${name.slice(1)}`,
      schema,
    ]),
  ),
};
