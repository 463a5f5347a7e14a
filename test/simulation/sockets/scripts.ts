// Things that sockets do to each other, each as a script that plays on real and on simulated ones.
import type { Socket } from 'node:net';
import type { Script } from './stage.ts';

const HALF_OPEN = { allowHalfOpen: true };
const MIB = Buffer.alloc(1024 * 1024, 'x');
/** More than the kernel takes on the way, on any machine. */
const TOO_MUCH = 16;

export const SCRIPTS: Readonly<Record<string, Script>> = {
  'a client ends, and the server answers and ends': async ({ serve, call, wait }) => {
    const server = await serve(HALF_OPEN, (socket) => {
      socket.resume();
      socket.on('end', () => socket.end('goodbye'));
    });
    const client = call(server.port, HALF_OPEN);
    client.resume();
    client.end('hello');
    await wait();
    server.close();
    await wait();
  },

  'a server ends, and a client with allowHalfOpen goes on': async ({ serve, call, wait, see }) => {
    const server = await serve(HALF_OPEN, (socket) => {
      socket.resume();
      socket.end('that is all');
    });
    const client = call(server.port, HALF_OPEN);
    client.resume();
    await wait();
    see('client', `writable ${client.writable}`);
    client.write('more');
    await wait();
    client.end();
    await wait();
    server.close();
  },

  'a server ends, and a client without allowHalfOpen ends as well': async ({ serve, call, wait }) => {
    const server = await serve({}, (socket) => socket.resume().end('that is all'));
    call(server.port).resume();
    await wait();
    server.close();
    await wait();
  },

  'a client is destroyed that has read everything': async ({ serve, call, wait }) => {
    const server = await serve(HALF_OPEN, (socket) => socket.resume().write('read me'));
    const client = call(server.port);
    client.resume();
    await wait();
    client.destroy();
    await wait();
    server.close();
  },

  'a client is destroyed with unread bytes': async ({ serve, call, wait }) => {
    const server = await serve(HALF_OPEN, (socket) => socket.resume().write('nobody reads me'));
    const client = call(server.port);
    client.on('connect', () => client.pause());
    await wait();
    client.destroy();
    await wait();
    server.close();
  },

  'a server writes a last reply and is destroyed with unread bytes': async ({ serve, call, wait }) => {
    let accepted: Socket | undefined;
    const server = await serve({ ...HALF_OPEN, pauseOnConnect: true }, (socket) => {
      accepted = socket;
    });
    const client = call(server.port);
    client.resume();
    client.write('nobody reads me');
    await wait();
    accepted?.write('the last reply');
    accepted?.destroy();
    await wait();
    server.close();
  },

  'a connection is reset while the other side reads': async ({ serve, call, wait }) => {
    const server = await serve(HALF_OPEN, (socket) => socket.resume());
    const client = call(server.port);
    client.write('hello');
    await wait();
    client.resetAndDestroy();
    await wait();
    server.close();
  },

  'a reset reaches a paused socket only once it reads': async ({ serve, call, wait, see }) => {
    let accepted: Socket | undefined;
    const server = await serve({ ...HALF_OPEN, pauseOnConnect: true }, (socket) => {
      accepted = socket;
    });
    const client = call(server.port);
    client.write('before the reset');
    await wait();
    client.resetAndDestroy();
    await wait();
    see('server', `resumed, address ${accepted?.remoteAddress}`);
    accepted?.resume();
    await wait();
    server.close();
  },

  'a reset reaches a paused socket when it writes': async ({ serve, call, wait, see }) => {
    let accepted: Socket | undefined;
    const server = await serve({ ...HALF_OPEN, pauseOnConnect: true }, (socket) => {
      accepted = socket;
    });
    const client = call(server.port);
    await wait();
    client.resetAndDestroy();
    await wait();
    accepted?.write('who reads this?', (error) => see('server', `written ${error?.message}`));
    await wait();
    server.close();
  },

  'writes to a peer that has closed: the first is reset, the second fails': async ({ serve, call, wait }) => {
    const server = await serve(HALF_OPEN, (socket) => socket.destroy());
    const client = call(server.port, HALF_OPEN);
    client.resume();
    await wait();
    client.write('first');
    await wait();
    client.write('second');
    await wait();
    server.close();
  },

  'an end waits for all bytes that were written': async ({ serve, call, wait, see }) => {
    let accepted: Socket | undefined;
    const server = await serve({ ...HALF_OPEN, pauseOnConnect: true }, (socket) => {
      accepted = socket;
    });
    const client = call(server.port);
    client.resume();
    for (let n = 0; n < TOO_MUCH; n++) client.write(MIB);
    client.end('end');
    await wait();
    see('client', `writableFinished ${client.writableFinished}`);
    accepted?.resume();
    accepted?.on('end', () => accepted?.end());
    await wait();
    server.close();
  },

  'a write that waits for room is lost if the socket is destroyed': async ({ serve, call, wait, see }) => {
    let accepted: Socket | undefined;
    const server = await serve({ ...HALF_OPEN, pauseOnConnect: true }, (socket) => {
      accepted = socket;
    });
    const client = call(server.port);
    await wait();
    for (let n = 0; n < TOO_MUCH; n++)
      client.write(MIB, (error) => see('client', `written ${error?.message}`));
    await wait();
    client.destroy();
    await wait();
    see('server', `destroyed ${accepted?.destroyed}`);
    accepted?.destroy();
    await wait();
    server.close();
  },

  'a connect is refused': async ({ serve, call, wait }) => {
    const server = await serve({}, () => {});
    server.close();
    await wait();
    const client = call(server.port);
    client.write('lost');
    await wait();
  },

  'a client is destroyed while it connects': async ({ serve, call, wait }) => {
    const server = await serve({}, (socket) => socket.destroy());
    call(server.port).destroy();
    await wait();
    server.close();
  },

  'a writer is slowed down by a reader': async ({ serve, call, wait, see }) => {
    let accepted: Socket | undefined;
    const server = await serve({ ...HALF_OPEN, pauseOnConnect: true }, (socket) => {
      accepted = socket;
    });
    const client = call(server.port);
    await wait();
    let writes = 0;
    for (let n = 0; n < TOO_MUCH; n++) client.write(MIB, () => writes++);
    await wait();
    see('client', `all written ${writes === TOO_MUCH}, buffered ${client.writableLength > 0}`);
    accepted?.resume();
    await wait();
    see('client', `all written ${writes === TOO_MUCH}, ${client.bytesWritten} bytes`);
    see('server', `${accepted?.bytesRead} bytes read`);
    client.destroy();
    await wait();
    accepted?.destroy();
    server.close();
  },

  'a listener that closes keeps its connections': async ({ serve, call, wait, see }) => {
    const server = await serve({}, (socket) => void socket.resume());
    const client = call(server.port);
    await wait();
    server.close();
    await wait();
    see('listener', 'is refused from now on');
    call(server.port);
    await wait();
    client.end('still heard');
    client.resume();
    await wait();
  },

  'no second listener gets the same port': async ({ serve, net, wait, see }) => {
    const server = await serve({}, () => {});
    const second = net.createServer();
    second.on('error', (error: NodeJS.ErrnoException) => {
      see('second', `${error.code} ${error.syscall} ${error.message.replace(/\d+$/, 'PORT')}`);
    });
    second.listen({ host: '127.0.0.1', port: server.port });
    await wait();
    see('second', `listening ${second.listening}`);
    server.close();
    await wait();
  },

  'a client writes and ends before it is connected': async ({ serve, call, wait }) => {
    const server = await serve(HALF_OPEN, (socket) => {
      socket.resume();
      socket.on('end', () => socket.end());
    });
    const client = call(server.port);
    client.resume();
    client.write('one');
    client.end('two');
    await wait();
    server.close();
  },

  'a socket paused on connect gets everything later': async ({ serve, call, wait, see }) => {
    let accepted: Socket | undefined;
    const server = await serve({ ...HALF_OPEN, pauseOnConnect: true, noDelay: true }, (socket) => {
      accepted = socket;
    });
    const client = call(server.port);
    client.end('all of it');
    await wait();
    see('server', `flows ${accepted?.readableFlowing}`);
    accepted?.resume();
    await wait();
    accepted?.end();
    client.resume();
    await wait();
    server.close();
  },

  'a handle moves to a socket that is read into a buffer': async ({ serve, call, net, wait, see, watch }) => {
    const buffer = Buffer.alloc(8);
    let moved: Socket | undefined;
    const server = await serve({ ...HALF_OPEN, pauseOnConnect: true }, (accepted) => {
      const holder = accepted as unknown as { _handle: unknown };
      const handle = holder._handle;
      holder._handle = null;
      accepted.destroy();
      const options = {
        handle,
        allowHalfOpen: true,
        onread: {
          buffer,
          callback: (length: number) => {
            see('moved', buffer.toString('latin1', 0, length));
            return true;
          },
        },
      };
      moved = watch('moved', new net.Socket(options as object));
      moved.resume();
      moved.pause();
    });
    const client = call(server.port, HALF_OPEN);
    client.resume();
    client.write('0123456789abcdef0123');
    await wait();
    see('moved', 'reads from now on');
    moved?.read(0);
    await wait();
    moved?.pause();
    client.write('unread');
    await wait();
    moved?.read(0);
    client.end();
    await wait();
    moved?.end('bye');
    await wait();
    server.close();
  },

  'a reset of a moved handle': async ({ serve, call, net, wait, see, watch }) => {
    const buffer = Buffer.alloc(64);
    let moved: Socket | undefined;
    const server = await serve({ ...HALF_OPEN, pauseOnConnect: true }, (accepted) => {
      const holder = accepted as unknown as { _handle: unknown };
      const handle = holder._handle;
      holder._handle = null;
      accepted.destroy();
      const onread = {
        buffer,
        callback: (length: number) => {
          see('moved', `${length} bytes`);
          return true;
        },
      };
      moved = watch('moved', new net.Socket({ handle, allowHalfOpen: true, onread } as object));
      moved.resume();
    });
    const client = call(server.port);
    client.write('hello');
    await wait();
    client.resetAndDestroy();
    await wait();
    see('moved', `destroyed ${moved?.destroyed}`);
    server.close();
  },

  'bytes and texts in one go keep their order': async ({ serve, call, wait, see }) => {
    let text = '';
    const server = await serve(HALF_OPEN, (socket) => {
      socket.on('data', (bytes: Buffer) => {
        text += bytes.toString('hex');
      });
      socket.on('end', () => socket.end());
    });
    const client = call(server.port);
    client.resume();
    await wait();
    client.cork();
    client.write('ä');
    client.write(Buffer.from([1, 2]));
    client.write('é', 'latin1');
    client.write('ff00', 'hex');
    client.uncork();
    client.write('z', 'utf16le');
    client.end();
    await wait();
    see('server', text);
    server.close();
  },

  'more connections than allowed are dropped': async ({ net, call, wait, see }) => {
    const server = net.createServer((socket) => void socket.resume());
    server.maxConnections = 1;
    server.on('drop', (drop) => see('listener', `drop ${drop?.remoteAddress}`));
    const port = await new Promise<number>((resolve) => {
      server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
    });
    const first = call(port);
    await wait();
    call(port).resume();
    await wait();
    first.destroy();
    server.close();
    await wait();
  },

  'destroySoon waits for what was written': async ({ serve, call, wait }) => {
    const server = await serve(HALF_OPEN, (socket) => {
      socket.write('something');
      socket.destroySoon();
    });
    call(server.port).resume();
    await wait();
    server.close();
  },

  'a write after the end is an error': async ({ serve, call, wait }) => {
    const server = await serve(HALF_OPEN, (socket) => socket.resume());
    const client = call(server.port);
    await wait();
    client.end();
    client.write('too late');
    await wait();
    server.close();
  },

  'both sides end at once': async ({ serve, call, wait }) => {
    const server = await serve(HALF_OPEN, (socket) => void socket.resume().end('s'));
    const client = call(server.port, HALF_OPEN);
    client.resume();
    client.end('c');
    await wait();
    server.close();
    await wait();
  },

  'a writer waits for room while its peer resets': async ({ serve, call, wait, see }) => {
    let accepted: Socket | undefined;
    const server = await serve({ ...HALF_OPEN, pauseOnConnect: true }, (socket) => {
      accepted = socket;
    });
    const client = call(server.port);
    await wait();
    for (let n = 0; n < TOO_MUCH; n++)
      client.write(MIB, (error) => see('client', `written ${error?.message}`));
    await wait();
    accepted?.resetAndDestroy();
    await wait();
    server.close();
  },

  'a paused writer waits for room while its peer resets': async ({ serve, call, wait, see }) => {
    let accepted: Socket | undefined;
    const server = await serve({ ...HALF_OPEN, pauseOnConnect: true }, (socket) => {
      accepted = socket;
    });
    const client = call(server.port);
    client.on('connect', () => client.pause());
    await wait();
    for (let n = 0; n < TOO_MUCH; n++)
      client.write(MIB, (error) => see('client', `written ${error?.message}`));
    await wait();
    accepted?.resetAndDestroy();
    await wait();
    server.close();
  },
};
