// Every crash point of a gateway that places records whose partition it did not know.
import { placingScenarios } from './placing-scenarios.ts';
import { testCrashPoints } from './run-scenarios.ts';

testCrashPoints(placingScenarios);
