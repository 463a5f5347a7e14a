// Error numbers as libuv gives them to Node: negative, those of Linux.
import { constants } from 'node:os';

const { errno } = constants;

export const UV = {
  EOF: -4095,
  EADDRINUSE: -errno.EADDRINUSE,
  EADDRNOTAVAIL: -errno.EADDRNOTAVAIL,
  EAGAIN: -errno.EAGAIN,
  EBADF: -errno.EBADF,
  ECANCELED: -errno.ECANCELED,
  ECONNREFUSED: -errno.ECONNREFUSED,
  ECONNRESET: -errno.ECONNRESET,
  EINVAL: -errno.EINVAL,
  ENOTCONN: -errno.ENOTCONN,
  EPIPE: -errno.EPIPE,
  ETIMEDOUT: -errno.ETIMEDOUT,
} as const;
