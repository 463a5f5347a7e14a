// Every crash point of a gateway whose topic grows, shrinks or is renamed, or that finds the spool of another gateway.
import { testCrashPoints } from './run-scenarios.ts';
import { topicScenarios } from './topic-scenarios.ts';

testCrashPoints(topicScenarios.filter(({ isLong }) => !isLong));
