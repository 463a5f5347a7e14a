// Upgrades and rollbacks with readings on the disk, with the builds of former commits: those that npm test has time for.
import { register } from './register.ts';
import { isShort } from './short.ts';

register(isShort);
