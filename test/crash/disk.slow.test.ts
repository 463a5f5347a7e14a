// Every crash point of a gateway that writes to the disk and reads it back.
import { diskScenarios } from './disk-scenarios.ts';
import { testCrashPoints } from './run-scenarios.ts';

testCrashPoints(diskScenarios);
