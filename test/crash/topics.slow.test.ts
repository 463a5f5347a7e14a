// Every crash point of a gateway whose topic is not what it was: grown, shrunk, renamed, or left by others.
import { testCrashPoints } from './run-scenarios.ts';
import { topicScenarios } from './topic-scenarios.ts';

testCrashPoints(topicScenarios);
