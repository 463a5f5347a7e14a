// The storms that are compared: ways in which a fleet loses its connections, each played with several rules.
import type { Constants } from '../constants.ts';
import { costsOf, type World } from './model.ts';
import { PROTOCOL, RULES, type Rule, ruleOf } from './rules.ts';
import { type Starts, simulate } from './simulate.ts';
import { afterCut, afterDrain, afterOutage } from './starts.ts';
import type { StormResult } from './tally.ts';

export interface Fleet {
  readonly devices: number;
  readonly gateways: number;
  /** TCP_PROCESSES of each gateway. */
  readonly processes: number;
  readonly cores: number;
  readonly tls: boolean;
  readonly rttMs: number;
  readonly seed: number;
}

export const FLEET: Fleet = {
  devices: 1_000_000,
  gateways: 10,
  processes: 8,
  cores: 8,
  tls: true,
  rttMs: 100,
  seed: 1,
};

export const SCENARIOS = {
  outage:
    'The network of the region is gone for 10 minutes. Devices notice within a minute, and each attempt fails at once.',
  restart: 'All gateways are killed, and are back after 5 s.',
  balancer: 'One of two balancers fails, which cuts the connections of half of the fleet.',
  drain:
    'One of the gateways drains, at once or over SHUTDOWN_SPREAD, or is killed. Its devices go to the others.',
} as const;
export type Scenario = keyof typeof SCENARIOS;
export const SCENARIO_NAMES = Object.keys(SCENARIOS) as Scenario[];

export interface Play {
  readonly scenario: Scenario;
  /** The name of the rule, or of a variant of the scenario. */
  readonly name: string;
  readonly run: () => StormResult;
}

const OUTAGE_MS = 600_000;
const NOTICE_MS = 60_000;
const RESTART_MS = 5_000;
/** Devices notice a reset within a round trip or two. */
const RESET_MS = 200;
const SLOW_CUT_MS = 300_000;
/** SHUTDOWN_SPREAD. */
const SPREAD_MS = 60_000;
/** TCP_TLS_MAX_HANDSHAKES, eight times the default. */
export const MORE_HANDSHAKES = 2_048;
const PATIENCE_MS = 30_000;
/** RFC 6298: after a second, then doubled. */
const SYN_AGAIN_MS = [1_000, 3_000, 7_000, 15_000];
const LIMIT_MS = 1_800_000;
/** Other work of the gateways while a storm comes. */
const BACKGROUND = 0.2;

/** All storms, in the order of the page. */
export function playsOf(fleet: Fleet, constants: Constants): Play[] {
  const { devices, gateways, seed, rttMs } = fleet;
  const world: World = {
    ...fleet,
    background: BACKGROUND,
    costs: costsOf(constants),
    rule: PROTOCOL,
    maxConnections: 2 * Math.ceil(devices / gateways),
    patienceMs: PATIENCE_MS,
    synAgainMs: SYN_AGAIN_MS,
    limitMs: LIMIT_MS,
  };
  const outage = (rule: Rule) =>
    afterOutage({ devices, outageMs: OUTAGE_MS, noticeMs: NOTICE_MS, failsAfterMs: rttMs, rule, seed });
  const restart = (rule: Rule) =>
    afterOutage({ devices, outageMs: RESTART_MS, noticeMs: RESET_MS, failsAfterMs: rttMs, rule, seed });
  const byRule = (scenario: Scenario, starts: (rule: Rule) => Starts): Play[] =>
    RULES.map((rule) => ({
      scenario,
      name: rule.name,
      run: () => simulate({ ...world, rule }, starts(rule)),
    }));
  const half = Math.floor(devices / 2);
  const cut = (name: string, overMs: number, rule = PROTOCOL): Play => ({
    scenario: 'balancer',
    name,
    run: () => simulate({ ...world, rule }, afterCut({ devices: half, overMs, rule, seed })),
  });
  const one = Math.floor(devices / gateways);
  const others: World = { ...world, gateways: Math.max(1, gateways - 1) };
  const drain = (name: string, spreadMs: number): Play => ({
    scenario: 'drain',
    name,
    run: () => simulate(others, afterDrain({ devices: one, spreadMs, seed })),
  });
  return [
    ...byRule('outage', outage),
    ...byRule('restart', restart),
    ...[PROTOCOL, ruleOf('one-minute')].map(
      (rule): Play => ({
        scenario: 'restart',
        name: `${rule.name}, ${MORE_HANDSHAKES} handshakes`,
        run: () => simulate({ ...world, rule, maxHandshakes: MORE_HANDSHAKES }, restart(rule)),
      }),
    ),
    cut('at once', 0),
    cut('at once, fixed', 0, ruleOf('fixed')),
    cut(`over ${SLOW_CUT_MS / 60_000} minutes`, SLOW_CUT_MS),
    drain('told, all at once', 0),
    drain(`told over ${SPREAD_MS / 1000} s`, SPREAD_MS),
    {
      scenario: 'drain',
      name: 'killed',
      run: () => simulate(others, afterCut({ devices: one, overMs: 0, rule: PROTOCOL, seed })),
    },
  ];
}
