// Upgrades and rollbacks with readings on the disk, with the builds of former commits: those that npm test has time for.
import { PLAYS } from './plays.ts';
import { register } from './register.ts';
import { SHORT } from './short.ts';

register(PLAYS.filter(({ name }) => SHORT.includes(name)));
