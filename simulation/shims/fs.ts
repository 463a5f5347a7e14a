// node:fs for code in a world: the synchronous functions that the gateway calls, on the world's disk. Others throw.
import { constants } from 'node:fs';
import { theDisk } from '../disk/disk-of-world.ts';
import { notSimulated } from '../disk/errors.ts';
import { SyncCalls } from '../disk/sync-calls.ts';

type Call<N extends keyof SyncCalls> = SyncCalls[N];

const calls = (): SyncCalls => new SyncCalls(theDisk());

export { constants };
export const openSync: Call<'openSync'> = (...args) => calls().openSync(...args);
export const closeSync: Call<'closeSync'> = (...args) => calls().closeSync(...args);
export const readSync: Call<'readSync'> = (...args) => calls().readSync(...args);
export const writeSync: Call<'writeSync'> = (...args) => calls().writeSync(...args);
export const ftruncateSync: Call<'ftruncateSync'> = (...args) => calls().ftruncateSync(...args);
export const fsyncSync: Call<'fsyncSync'> = (...args) => calls().fsyncSync(...args);
export const fdatasyncSync: Call<'fdatasyncSync'> = (...args) => calls().fdatasyncSync(...args);
export const fstatSync: Call<'fstatSync'> = (...args) => calls().fstatSync(...args);
export const readFileSync: Call<'readFileSync'> = (...args) => calls().readFileSync(...args);
export const statSync: Call<'statSync'> = (...args) => calls().statSync(...args);
export const lstatSync: Call<'lstatSync'> = (...args) => calls().lstatSync(...args);
export const statfsSync: Call<'statfsSync'> = (...args) => calls().statfsSync(...args);
export const accessSync: Call<'accessSync'> = (...args) => calls().accessSync(...args);
export const existsSync: Call<'existsSync'> = (...args) => calls().existsSync(...args);
export const mkdirSync: Call<'mkdirSync'> = (...args) => calls().mkdirSync(...args);
export const readdirSync: Call<'readdirSync'> = (...args) => calls().readdirSync(...args);
export const unlinkSync: Call<'unlinkSync'> = (...args) => calls().unlinkSync(...args);
export const rmdirSync: Call<'rmdirSync'> = (...args) => calls().rmdirSync(...args);
export const renameSync: Call<'renameSync'> = (...args) => calls().renameSync(...args);
export const rmSync: Call<'rmSync'> = (...args) => calls().rmSync(...args);
export const readlinkSync: Call<'readlinkSync'> = (...args) => calls().readlinkSync(...args);
export const realpathSync: Call<'realpathSync'> = (...args) => calls().realpathSync(...args);

/** Only commands of the command line use it. */
export const createWriteStream = (): never => {
  throw notSimulated('createWriteStream');
};

export default {
  constants,
  openSync,
  closeSync,
  readSync,
  writeSync,
  ftruncateSync,
  fsyncSync,
  fdatasyncSync,
  fstatSync,
  readFileSync,
  statSync,
  lstatSync,
  statfsSync,
  accessSync,
  existsSync,
  mkdirSync,
  readdirSync,
  unlinkSync,
  rmdirSync,
  renameSync,
  rmSync,
  readlinkSync,
  realpathSync,
  createWriteStream,
};
