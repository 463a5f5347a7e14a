// Every crash point of a gateway's way to the disk and back.
import { diskScenarios } from './disk-scenarios.ts';
import { testCrashPoints } from './run-scenarios.ts';

testCrashPoints(diskScenarios);
