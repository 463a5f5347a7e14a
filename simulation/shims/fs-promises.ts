// node:fs/promises for code in a world: the functions that the gateway calls, on the world's disk.
import { constants } from 'node:fs';
import { theDisk } from '../disk/disk-of-world.ts';
import { PromiseCalls } from '../disk/promise-calls.ts';

type Call<N extends keyof PromiseCalls> = PromiseCalls[N];

const calls = (): PromiseCalls => new PromiseCalls(theDisk());

export { constants };
// Asynchronous, so that an error that is thrown at once rejects too.
export const open: Call<'open'> = async (...args) => calls().open(...args);
export const readFile: Call<'readFile'> = async (...args) => calls().readFile(...args);
export const writeFile: Call<'writeFile'> = async (...args) => calls().writeFile(...args);
export const stat: Call<'stat'> = async (...args) => calls().stat(...args);
export const lstat: Call<'lstat'> = async (...args) => calls().lstat(...args);
export const statfs: Call<'statfs'> = async (...args) => calls().statfs(...args);
export const mkdir: Call<'mkdir'> = async (...args) => calls().mkdir(...args);
export const mkdtemp: Call<'mkdtemp'> = async (...args) => calls().mkdtemp(...args);
export const readdir: Call<'readdir'> = async (...args) => calls().readdir(...args);
export const unlink: Call<'unlink'> = async (...args) => calls().unlink(...args);
export const rmdir: Call<'rmdir'> = async (...args) => calls().rmdir(...args);
export const rename: Call<'rename'> = async (...args) => calls().rename(...args);
export const rm: Call<'rm'> = async (...args) => calls().rm(...args);
export const chmod: Call<'chmod'> = async (...args) => calls().chmod(...args);
export const access: Call<'access'> = async (...args) => calls().access(...args);
export const realpath: Call<'realpath'> = async (...args) => calls().realpath(...args);

export default {
  constants,
  open,
  readFile,
  writeFile,
  stat,
  lstat,
  statfs,
  mkdir,
  mkdtemp,
  readdir,
  unlink,
  rmdir,
  rename,
  rm,
  chmod,
  access,
  realpath,
};
