// Every crash point of a gateway that places records without a certain partition.
import { placingScenarios } from './placing-scenarios.ts';
import { testCrashPoints } from './run-scenarios.ts';

testCrashPoints(placingScenarios.filter(({ isLong }) => !isLong));
