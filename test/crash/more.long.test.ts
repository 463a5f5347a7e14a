// Every crash point of the scenarios for which npm test has no time: several crashes in a row. placing.slow.test.ts and
// topics.slow.test.ts try every crash of one run, and every second crash in the start after it.
import { placingScenarios } from './placing-scenarios.ts';
import { testCrashPoints } from './run-scenarios.ts';
import { topicScenarios } from './topic-scenarios.ts';

testCrashPoints([...placingScenarios, ...topicScenarios].filter(({ isLong }) => isLong));
